// Sends the form to the API and goes on to where the visitor wanted to be.
'use strict';

const form = document.getElementById('login');
const error = document.getElementById('error');

// Only paths of this site: never a link that leads elsewhere after a login.
function next() {
  const wanted = new URLSearchParams(location.search).get('next') || '/';
  return /^\/(?![\/\\])/.test(wanted) ? wanted : '/';
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  error.hidden = true;
  form.querySelector('button').disabled = true;
  try {
    const answer = await fetch('/api/v1/login', {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({name: form.name.value, password: form.password.value, session: true}),
    });
    if (answer.ok) {
      location.replace(next());
      return;
    }
    const problem = await answer.json().catch(() => ({}));
    error.textContent = problem.detail || `The server answered ${answer.status}.`;
  } catch (e) {
    error.textContent = 'The server does not answer. Is it running?';
  }
  error.hidden = false;
  form.querySelector('button').disabled = false;
  form.password.select();
});
