"""What the figures of this project are measured with; `script/bench` runs it."""
