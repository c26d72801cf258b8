"""The control plane below /_emulator/: reset, seed, snapshots, clock, faults and journal."""
