"""The one gradient loop, its optimisers, schedules and order of rows."""
