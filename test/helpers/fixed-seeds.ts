/** The property tests try the same in every run that measures coverage. */
import fc from 'fast-check'

fc.configureGlobal({ seed: 1 })
