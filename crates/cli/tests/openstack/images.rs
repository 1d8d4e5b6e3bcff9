//! Images and snapshots: sent, got, changed in place, brought in, taken away.
