//! Which windows are wanted (planner, a pure function), fetching them (executor), and when (schedule).
