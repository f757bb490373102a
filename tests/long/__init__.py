"""The long checks: `make long CHECK=NAME`, or `python -m tests.long.NAME` with options (`--help`).

faults    kill, stop and starve the long commands, many times, and compare bytes     not timed
guard     search a hidden mark of a gated set in all that the book publishes         7 minutes
fuzz      damaged files on every reader                                              2 minutes
mutate    change metrics, protocol and texture: do the tests notice?                 1 hour
coverage  which lines the tests run, all tests and the quick ones                    30 minutes
twice     build the book twice from nothing and compare every byte                   40 minutes
own_data  the books of licensees with one, two and three sets of photographed faces  25 minutes
audit     known weaknesses of the pinned packages (needs the network)                2 minutes

All but own_data and audit write what they find into results/trust.json, which the page
"How far to trust this" shows.
"""
