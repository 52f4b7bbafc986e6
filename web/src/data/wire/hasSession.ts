/** Whether this browser has a session that is still good; unknown counts as yes. */
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
