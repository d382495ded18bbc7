// Client: a simulated customer that decides as the bank's own client does: one operation at a time,
// by the production rules of what an attempt's fate means, when to try again, when to look the key
// up, and what may be said of it in the end (customer/client/retry_policy.h, wire.h; the statuses
// are those that branch/rpc makes). Only the blocking loop around these rules is told again here
// (customer/client/bank_client.cc), since a simulation cannot wait inside a call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "customer/client/retry_policy.h"
#include "tests/sim/history.h"
#include "tests/sim/line.h"
#include "tests/sim/world.h"

namespace bank::sim {

struct ClientOptions {
  uint64_t number = 0;
  uint64_t accounts = 4;
  uint64_t read_permille = 300;
  client::Patience patience;
  SimTime think_max = 60 * kMillisecond;
};

class Client {
 public:
  Client(World& world, History& history, const ClientOptions& options);

  void Begin() { Think(); }
  // No new operations; the one under way comes to its end by itself.
  void Drain() { draining_ = true; }
  bool idle() const { return !retry_policy_.has_value(); }

 private:
  using Next = client::RetryPolicy::Next;

  void Think();
  void Perform();
  void OpenSession();
  // The next call or lookup.
  void Try(Next next);
  void OnReply(Next what, const CallReply& reply);
  void Settle(const CallReply& reply);
  void Told(const CallReply& reply, Operation* operation);
  int64_t NowNs() const { return world_.scheduler.now() * 1000; }

  World& world_;
  History& history_;
  const ClientOptions options_;
  Line line_;
  Random random_;
  BranchId home_;
  bool draining_ = false;

  SessionId session_;
  uint64_t next_sequence_ = 1;
  Position seen_;

  // Of the operation under way.
  std::optional<client::RetryPolicy> retry_policy_;
  std::optional<size_t> operation_;  // into the history; none: a session is being opened
  Call call_;
  uint64_t attempt_ = 0;  // since the last change between calling and looking up
  uint64_t calls_ = 0;    // numbers the answers that count
};

}  // namespace bank::sim
