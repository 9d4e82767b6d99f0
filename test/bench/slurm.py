"""Debian's Slurm as a peer: munged, slurmctld and one slurmd of our own in a folder, on ports of
their own, tuned for many small jobs and without its database."""

import contextlib
import os
import secrets
import socket

from berth import free_port
from measure import need, need_root, program, run, say, until, version

CONFIG = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={top}/munge.socket
CredType=cred/munge
StateSaveLocation={top}/state
SlurmdSpoolDir={top}/spool
SlurmctldPidFile={top}/slurmctld.pid
SlurmdPidFile={top}/slurmd.pid
SlurmctldLogFile={top}/slurmctld.log
SlurmdLogFile={top}/slurmd.log
SlurmctldDebug=error
SlurmdDebug=error
MpiDefault=none
SwitchType=switch/none
# No containers, no cgroups, no accounting: the least that a job can cost.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
# Tuned for throughput, after its own high-throughput guide.
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,default_queue_depth=10000,defer
SlurmdParameters=config_overrides
MaxJobCount=200000
MaxArraySize=20001
MinJobAge=300
MessageTimeout=60
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """One cluster of one node; `cpus` of them so that as many jobs run at once."""

    def __init__(self, top, cpus):
        need_root()
        need("slurmctld", "slurmd", "sbatch", "squeue", "munged")
        self.top, self.cpus = top / "slurm", cpus
        self.env = dict(os.environ, SLURM_CONF=str(self.top / "slurm.conf"))
        self.version = version("slurmctld", "-V")

    def __enter__(self):
        self.top.mkdir()
        for name in ("state", "spool"):
            (self.top / name).mkdir()
        # Two free ports: neither may be the other.
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            ctld_port, slurmd_port = free_port(), held.getsockname()[1]
        host = socket.gethostname().split(".")[0]
        (self.top / "slurm.conf").write_text(CONFIG.format(
            host=host, top=self.top, ctld_port=ctld_port, slurmd_port=slurmd_port,
            cpus=self.cpus))
        (self.top / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        key = self.top / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        with contextlib.ExitStack() as stack:
            log = self.top / "programs.log"
            stack.enter_context(program(
                "munged", "--foreground", "--force", f"--key-file={key}",
                f"--socket={self.top}/munge.socket", f"--pid-file={self.top}/munged.pid",
                f"--log-file={self.top}/munged.log", f"--seed-file={self.top}/munged.seed", log=log))
            until("munged's socket", (self.top / "munge.socket").exists, 10)
            stack.enter_context(program("slurmctld", "-D", log=log, env=self.env))
            stack.enter_context(program("slurmd", "-D", "-N", host, log=log, env=self.env))
            try:
                until("an idle node", lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), 60, 0.1)
            except RuntimeError:
                for name in ("programs", "slurmctld", "slurmd"):
                    with contextlib.suppress(FileNotFoundError):
                        say((self.top / f"{name}.log").read_text()[-1000:])
                raise
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self.ask("scancel", "--user=root")
        with contextlib.suppress(RuntimeError):
            until("an empty queue", lambda: not self.ask("squeue", "-h", "-o", "%i"), 30, 0.2)
        self.stack.close()

    def ask(self, *command):
        done = run(*command, check=False, env=self.env)
        return done.stdout.strip()

    def sbatch(self, *options):
        return run("sbatch", "--parsable", "--output=/dev/null", *options, "--wrap=true",
                   env=self.env).stdout.strip()

    def sbatch_at_once(self, count, clients, *options):
        """So many submissions by so many sbatch side by side."""
        run("xargs", "-P", clients, "-I{}", "sbatch", "--parsable", "--output=/dev/null", *options,
            "--wrap=true", env=self.env, input="x\n" * count)

    def clear(self):
        run("scancel", "--user=root", env=self.env)
        until("an empty queue", lambda: not self.ask("squeue", "-h", "-o", "%i"), 120, 0.2)

    def wait_ended(self, job):
        until("the end of a job", lambda: not self.ask("squeue", "-h", "-j", job, "-o", "%i"), 900,
              0.25)

    def states(self, job):
        """How its tasks ended, as the controller remembers."""
        said = self.ask("squeue", "-h", "-r", "-j", job, "-t", "all", "-o", "%T")
        return said.split()
