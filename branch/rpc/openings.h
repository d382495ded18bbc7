// Openings: who opens sessions at this branch, and how many each may open.
//
// A session belongs to whoever shows the same certificate, or, without one, comes over the same
// connection. The owner's tag goes into the log, where it decides whose sessions end when there are
// too many (branch/ledger/sessions.h); it tells nobody the name behind it. Here each owner is
// bounded, so that one of them cannot keep the bank busy with sessions: a session costs a place in
// the order, and memory on every branch.
//
// Thread-safe; a lock for each session that is opened.
#pragma once

#include <grpcpp/server_context.h>

#include <cstdint>
#include <deque>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/entropy.h"
#include "common/ids.h"

namespace bank::rpc {

class Openings {
 public:
  struct Options {
    uint64_t connection_max = 1000;     // sessions in one span
    uint64_t certificate_max = 10'000;  // likewise: many customers may share one
    int64_t span_ns = 3'600'000'000'000;
    size_t owners_max = 20'000;  // remembered at a time; of more, the oldest are forgotten
  };
  // The clock must outlive it. `branch` and the bits drawn keep the connections of different
  // branches, and of different runs of one, apart.
  Openings(Options options, BranchId branch, const Clock& clock, Entropy& entropy);

  struct Opener {
    SessionOwner owner;
    uint64_t sessions_max = 0;  // in one span
  };
  // By the certificate's names, the same through every branch; else by the connection.
  Opener OpenerOf(const grpc::CallbackServerContext& call) const;
  Opener OpenerOf(std::string_view certificate, std::string_view connection) const;

  // False: it has opened as many as it may, for now. Else one more is counted.
  bool Admit(const Opener& opener);

 private:
  struct Begun {
    int64_t ns;
    SessionOwner owner;
  };

  void ForgetOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const uint64_t salt_;
  const Clock& clock_;

  absl::Mutex mutex_;
  absl::flat_hash_map<SessionOwner, uint64_t> opened_ ABSL_GUARDED_BY(mutex_);
  std::deque<Begun> begun_ ABSL_GUARDED_BY(mutex_);  // one for each of these, in order
};

}  // namespace bank::rpc
