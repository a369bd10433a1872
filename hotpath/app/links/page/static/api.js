// The page's requests. An answer that is no success becomes an Error with its sentence.

async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout ? AbortSignal.timeout(12000) : undefined,
    });
  } catch {
    throw new Error("The run does not answer.");
  }
  if (answer.ok) return answer.status === 204 || answer.status === 202 ? null : answer.json();
  let words = `The run answered ${answer.status}.`;
  try {
    const said = (await answer.json()).error;
    words = said[0].toUpperCase() + said.slice(1) + ".";
  } catch { /* the answer holds no sentence */ }
  throw Object.assign(new Error(words), { status: answer.status });
}

// how: { frame, box, snug } or { frame, point }, and replace: number of a target to drop
export const choose = (how) => ask("POST", "api/targets", how);
export const drop = (number) => ask("DELETE", `api/targets/${number}`);
export const pause = (paused) => ask("POST", "api/pause", { paused });
export const confirm = (number) => ask("POST", "api/confirm", { confirm: true, number });
export const reject = (number) => ask("POST", "api/reject", { reject: true, number });
export const stop = () => ask("POST", "api/stop", { stop: true });
export const state = () => ask("GET", "api/state");
