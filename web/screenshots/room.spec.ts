import { fileURLToPath } from 'node:url';
import { expect, test } from '../e2e/fixtures';

const IMAGES = new URL('../../docs/images/', import.meta.url);

test('a room in which two people talk', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  const say = async (who: typeof ana, text: string) => {
    await who.page.getByRole('textbox', { name: 'Message' }).fill(text);
    await who.page.getByRole('button', { name: 'Send' }).click();
    await expect(ana.page.getByText(text, { exact: true })).toBeVisible();
  };
  await say(ana, 'Good morning! Who brings the projector on Thursday?');
  await say(bo, 'I do. The room is ours from six.');
  await say(ana, 'Then I write to the speakers.');
  await bo.page.getByRole('textbox', { name: 'Message' }).pressSequentially('Gre');
  await expect(ana.page.getByText(`${bo.name} …`)).toBeVisible();
  await ana.page.screenshot({ path: fileURLToPath(new URL('room.png', IMAGES)) });
});
