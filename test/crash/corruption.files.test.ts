/** Files cut short, overwritten, gone, doubled, exchanged; and files that nobody knows. */
import { corruptionCampaign, given } from '../helpers/corruption-campaign.ts'
import {
  anyFilesGone,
  batchesMoved,
  cutAtEveryLength,
  filesMoved,
  ofAllPartitions,
  overwritten,
} from '../helpers/file-damages.ts'

const FILE = 'test/crash/corruption.files.test.ts'
const share = given('CORRUPTION_SHARE')

for (const which of ['closed', 'killed'] as const) {
  const campaign = (what: string, ...kinds: Parameters<typeof ofAllPartitions>) =>
    corruptionCampaign(FILE, `${what}, in a log that was ${which}`, which, ofAllPartitions(...kinds))
  campaign('files cut at any length', cutAtEveryLength(share ?? (which === 'closed' ? 0.2 : 0.1)))
  campaign('stretches of zeros, garbage and other bytes', overwritten(share === undefined ? 8 : 200 * share))
  campaign('batches doubled, gone and exchanged', batchesMoved)
  campaign('files gone, doubled, exchanged and added', filesMoved)
  campaign('any of the files gone', anyFilesGone(share ?? 0.08))
}
