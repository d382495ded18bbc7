// BankClient: one customer of the bank; one operation at a time, each exactly once.
//
// An operation goes to the branch it is meant for and, if that one cannot answer, with the same
// key to the others: a leader change or a restart costs time, nothing else. Perform() returns when
// the operation is settled (client/settlement.h) or its patience is at an end.
// One thread at a time. All calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "customer/client/branches.h"
#include "customer/client/retry_policy.h"
#include "customer/history/event.h"
#include "customer/history/recorder.h"

namespace bank::client {

struct Answer {
  history::Ending ending = history::Ending::kInfo;
  v1::ResultCode code = v1::OK;  // kOk only; refusals are answers
  int64_t balance = 0;           // kOk only
  Position position;             // kOk only: the receipt
  bool replayed = false;
  BranchId branch;     // who answered; 0: nobody
  std::string reason;  // one line unless kOk with code OK
  bool denied = false;
  history::Identity identity;  // the key, to ask later what became of it
  uint32_t attempts = 0;

  bool success() const { return ending == history::Ending::kOk && code == v1::OK; }
};

class BankClient {
 public:
  struct Options {
    Patience patience = {};
    bool failover = true;  // other branches may be asked when the one that is meant cannot answer
    uint64_t process = 1;  // in the history
    history::Recorder* recorder = nullptr;  // borrowed; may be null
    uint64_t seed = 1;                      // of the waiting times
    bool logical_clock = false;             // each write carries a clock, from 1 in steps of 1
  };

  // `clock` must outlive the client. `branches` has at least one.
  BankClient(std::vector<Branch> branches, const Clock& clock, Options options);

  // Until the branch serves customers. NotFound if it is none of ours.
  absl::Status AwaitServing(BranchId branch, int64_t deadline_ns);

  // Opens the session whose keys all following writes carry. Without it writes have no key and
  // are sent once. Unavailable when patience is at an end, PermissionDenied when not authorised.
  absl::Status OpenSession(BranchId first);

  // `first` 0, or unknown: any branch.
  Answer Perform(const history::Operation& operation, BranchId first);

  // What became, for all time, of a key; also of another client's. NotApplied is a kFail.
  Answer Lookup(SessionId session, uint64_t sequence, BranchId first);

  // The highest position that an answer showed: what a query `at least` has to see.
  Position seen() const { return seen_; }
  SessionId session() const { return session_; }
  // The place in the bank's order at which the session was opened: no secret, unlike its id.
  Position opened_at() const { return opened_at_; }
  // At most this many sequences of the session may be unanswered at a time.
  uint64_t window() const { return window_; }

 private:
  // The branch for the attempt of this number, counted from 0, of an operation meant for `first`.
  Branch& Choose(BranchId first, uint32_t attempt);
  void Wait(const RetryPolicy& retry_policy);
  void Call(const v1::Request& request, Branch& branch, int64_t deadline_ns, grpc::Status* status,
            v1::Reply* reply);
  // Asks until `settlement` is settled; fills `reply` and `status` with the last call's.
  void LookUp(const history::Identity& identity, BranchId first, RetryPolicy& retry_policy,
              grpc::Status* status, v1::Reply* reply);
  Answer MakeAnswer(const RetryPolicy& retry_policy, const history::Identity& identity,
                    const grpc::Status& status, const v1::Reply& reply);
  void Record(const history::Operation& operation, const Answer& answer);

  std::vector<Branch> branches_;
  const Clock& clock_;
  const Options options_;
  std::mt19937_64 random_;
  SessionId session_;
  Position opened_at_;
  uint64_t window_ = 0;
  uint64_t next_sequence_ = 1;
  uint64_t next_id_ = 1;
  uint64_t logical_clock_ = 0;
  Position seen_;
};

}  // namespace bank::client
