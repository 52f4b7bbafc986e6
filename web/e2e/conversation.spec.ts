import { expect, test } from './fixtures';
import { composer, roomFor, say, timeline } from './people';

test('two people chat, and one edits a message', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await roomFor(ana, bo);
  await say(ana, 'Hello, is anyone here?');
  await expect(timeline(bo.page).getByText('Hello, is anyone here?')).toBeVisible();

  await composer(bo.page).pressSequentially('I am');
  await expect(ana.page.getByText(`${bo.name} is typing…`)).toBeVisible();
  await bo.page.getByRole('button', { name: 'Send' }).click();
  await expect(timeline(ana.page).getByText('I am', { exact: true })).toBeVisible();

  const mine = ana.page.getByRole('listitem').filter({ hasText: 'Hello, is anyone here?' });
  await mine.hover();
  await mine.getByRole('button', { name: 'More actions' }).click();
  await ana.page.getByRole('menuitem', { name: 'Edit' }).click();
  await ana.page.getByRole('textbox', { name: /^(Message|Edit)/ }).fill('Hello, everyone!');
  await ana.page.getByRole('button', { name: 'Save' }).click();
  await expect(timeline(bo.page).getByText('Hello, everyone!')).toBeVisible();
  await expect(timeline(bo.page).getByText('Hello, is anyone here?')).toHaveCount(0);
});
