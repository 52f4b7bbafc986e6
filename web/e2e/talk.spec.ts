import { expect, test } from './fixtures';

test('two people talk, and one corrects a message', async ({ someone }) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await ana.page.getByRole('textbox', { name: 'Message' }).fill('Hello, is anyone here?');
  await ana.page.getByRole('button', { name: 'Send' }).click();
  await expect(bo.page.getByText('Hello, is anyone here?')).toBeVisible();

  await bo.page.getByRole('textbox', { name: 'Message' }).pressSequentially('I am');
  await expect(ana.page.getByText(`${bo.name} …`)).toBeVisible();
  await bo.page.getByRole('button', { name: 'Send' }).click();
  await expect(ana.page.getByText('I am', { exact: true })).toBeVisible();

  const mine = ana.page.getByRole('listitem').filter({ hasText: 'Hello, is anyone here?' });
  await mine.getByRole('button', { name: 'Edit' }).click();
  await ana.page.getByRole('textbox', { name: 'Message' }).fill('Hello, everyone!');
  await ana.page.getByRole('button', { name: 'Save' }).click();
  await expect(bo.page.getByText('Hello, everyone!')).toBeVisible();
  await expect(bo.page.getByText('Hello, is anyone here?')).toHaveCount(0);
});

test('after the server was killed everyone catches up without a reload', async ({
  someone,
  server,
}) => {
  const ana = await someone('ana');
  const bo = await someone('bo');
  await ana.page.getByRole('textbox', { name: 'Message' }).fill('before');
  await ana.page.getByRole('button', { name: 'Send' }).click();
  await expect(bo.page.getByText('before', { exact: true })).toBeVisible();

  await server.kill();
  await expect(bo.page.getByText('Reconnecting…')).toBeVisible();
  await ana.page.getByRole('textbox', { name: 'Message' }).fill('written while it was gone');
  await ana.page.getByRole('button', { name: 'Send' }).click();
  await server.up();

  await expect(bo.page.getByText('written while it was gone')).toBeVisible({ timeout: 30_000 });
  await expect(bo.page.getByText('Reconnecting…')).toHaveCount(0);
  await expect(ana.page.getByText('written while it was gone')).toHaveCount(1);
});
