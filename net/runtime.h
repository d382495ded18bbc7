// What every program with gRPC sets up first, before it makes a thread.
#pragma once

namespace bank::net {

// Switches off abseil's search for lock-order cycles, which Debian's build runs on every lock,
// gRPC's own included (7 % of an echo server's CPU). The sanitized builds keep it: that is where it
// belongs.
void PrepareRuntime();

}  // namespace bank::net
