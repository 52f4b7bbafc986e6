/** Whether this browser has a valid session. If that is unknown, assume so. */
export async function hasSession(): Promise<boolean> {
  try {
    const answer = await fetch('/api/me');
    if (answer.ok) return true;
    const problem = (await answer.json()) as { code?: string };
    return problem.code !== 'sign_in_required';
  } catch {
    return true;
  }
}
