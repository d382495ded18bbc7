# The edges of the driver (thread, disk, forwarding) and the replicator made of them.
bank_library(bank_raft_replicator
  SOURCES disk_queue.cc snapshot_writer.cc loop.cc forwarder.cc read_gate.cc dispatcher.cc raft_replicator.cc
  DEPS bank_raft_driver bank_ledger bank_common)
