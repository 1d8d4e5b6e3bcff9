//! Drives a plan and a run: the only home of tasks, timeouts, limits and retries.
