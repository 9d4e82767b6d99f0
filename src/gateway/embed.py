"""Writes web/* as a C table of struct static_asset, each with its gzip form, so that the gateway
carries its pages inside itself.

usage: embed.py OUT.c FILE...
"""

import gzip
import pathlib
import sys


def array(name, data):
    lines = [",".join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24)]
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(lines) + "\n};\n"


def main(out, files):
    parts = ['/* Made by embed.py; not for editing. */\n#include "gateway/pages.h"\n']
    rows = []
    for number, file in enumerate(sorted(files, key=lambda f: pathlib.Path(f).name)):
        data = pathlib.Path(file).read_bytes()
        packed = gzip.compress(data, 9, mtime=0)
        parts.append(array(f"file{number}", data))
        row = f'    {{"/{pathlib.Path(file).name}", file{number}, {len(data)}, '
        if len(packed) < len(data):
            parts.append(array(f"gzip{number}", packed))
            row += f"gzip{number}, {len(packed)}}},"
        else:
            row += "NULL, 0},"
        rows.append(row)
    parts.append("const struct static_asset pages_assets[] = {\n" + "\n".join(rows) + "\n};\n")
    parts.append(f"const size_t pages_asset_count = {len(rows)};\n")
    pathlib.Path(out).write_text("\n".join(parts))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
