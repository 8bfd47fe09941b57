// Requests to the box. A failure shows as one line, and is thrown.

const error = () => document.getElementById("error");
let hiding;

/** Show a problem for a while. */
export function complain(text) {
  const line = error();
  line.textContent = text;
  line.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { line.hidden = true; }, 8000);
}

/** Ask the API; returns the JSON it answers, or null for no content. */
export async function ask(path, method = "GET", body = undefined) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(`api/v1/${path}`, options);
  if (answer.status === 204) return null;
  if (!answer.ok) {
    const said = await answer.text();
    throw new Error(detailOf(said) || `${answer.status} ${answer.statusText}`);
  }
  return answer.json();
}

function detailOf(text) {
  try {
    const { detail } = JSON.parse(text);
    return Array.isArray(detail) ? detail.map((one) => one.msg).join("; ") : detail;
  } catch {
    return text.slice(0, 200);
  }
}

/** Do something that may fail, and say so if it does. */
export async function tell(action) {
  try {
    return await action();
  } catch (problem) {
    complain(problem.message);
    return undefined;
  }
}
