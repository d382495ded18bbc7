// What becomes of a server that may open no more files.
//
// gRPC 1.51 gives up listening for ever when accept4() fails with EMFILE once: the process goes on,
// looks well, and no new connection is ever taken again, also when files are free. So this file
// puts an accept4() of its own before the C library's, for the whole program: a connection for
// which there is no file is taken with one kept in reserve and closed at once. Its caller sees it
// end and comes again; the server goes on listening.
// Threads: any, after PrepareOpenFiles().
#pragma once

#include <cstdint>

namespace bank::net {

// A branch of a large bank with its console and a few customers.
inline constexpr uint64_t kOpenFilesMin = 64;

// Raises the process's limit of open files as far as it may without asking anybody, and keeps one
// in reserve. Returns the limit. Call it before the first server is made; idempotent.
uint64_t PrepareOpenFiles();

// Connections closed so far because no file was left for them.
uint64_t ConnectionsTurnedAway();

}  // namespace bank::net
