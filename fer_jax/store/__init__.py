"""The files of a run directory: tables, curves, checkpoints, features, predictions and the lock.

How arrays and tables get to disk and back belongs here; what their rows and columns mean belongs in
the rooms that make them (`launch`) and read them (`results`).

How a run survives a kill at any moment:

1. One process writes, and holds the lock while it does. Every file and checkpoint appears by a
   rename, in full or not at all, and is flushed to disk before it; the folder that holds the new
   name is flushed before anything older is deleted. So a power cut leaves what a kill leaves.
   Tables and figures that a report writes, and notes.md, which is people's, need no lock: no start
   believes them.
2. A checkpoint of a wave at epoch e is `curves.write` with the rows since the last one, then
   `save_state` at e, which names the parts of the curves it stands on. So the curves on disk always
   reach at least as far as the newest complete state.
3. A state counts once it is complete; only then are older ones deleted, but for the one before it.
4. To go on, `resume` takes the newest state that is whole, at epoch e, drops the wave's rows after
   e and returns e; without a state it drops all its rows and returns 0. `restore_state` then gives
   the arrays, and training repeats the epochs after e, bit for bit. Checkpoints and parts of the
   curves hold checksums of their content. A state that differs from its own, or stands on a part
   that does or is gone, is not whole: `resume` says so, deletes it and takes the one before it.
   What cannot be read for another reason is an error, and nothing is deleted. The loop asks this of
   all waves it is going to train before it compiles anything.
5. At its end a wave writes its last curves, then the state after its last epoch where that is kept,
   then `predictions`, then `save_final`, then its rows of trials.csv, then it calls `drop_state`.
   Only the table says what is done: a kill before it leads to rule 4, a kill after it leaves states
   for the next start to drop.
6. A wave that does not fit into memory is replaced by its parts: for each part `curves.write` with
   its rows up to the state that `resume` chose for the wave, then `save_state` with its slots of
   that state, waited for; then plan.json with the parts in the wave's place; then `forget` of the
   wave. A kill before the new plan leaves parts, a kill after it leaves the wave, and the plan does
   not name them: `forget_others` at the next start removes them, and rule 4 goes on with the waves
   that the plan names.
7. Trials that go on for more epochs have new ids, and their waves other waves in their place, under
   names that the plan has not had: for each `curves.write` with its rows under the new ids, then
   `save_state`, waited for; then plan.json with the new waves, then config.json with the new
   length, then trials.csv, in which a result counts where it names the wave that the plan has its
   trial in; then the old waves, features and fits go. A kill before the new plan leaves the shorter
   run, a kill after it the longer one, and what the other one had is removed at the next start.
8. A table that a start believes, trials.csv or heads.csv, is written after its sealed copy, which
   holds its text, its SHA-256 and that of the file before it (`sealed`). A file that is neither
   was damaged or edited: the sealed copy counts, and the difference is said. Without a seal, as in
   runs of earlier versions, `results.judged_tables` holds the rows against the other files.
"""

from fer_jax.store.checkpoints import to_host
from fer_jax.store.curves import CURVE_COLUMNS
from fer_jax.store.directory import RunDirectory

__all__ = ["CURVE_COLUMNS", "RunDirectory", "to_host"]
