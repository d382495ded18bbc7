// The branches an operator speaks to: their addresses, one stub each, and how to ask all at once.
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bank/v1/admin.grpc.pb.h"
#include "bank/v1/customer.grpc.pb.h"
#include "bank/v1/monitor.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "net/address_list.h"
#include "net/security.h"

namespace bank::bankctl {

using Deadline = std::chrono::system_clock::time_point;

struct Branch {
  net::BranchAddress target;  // id 0: not known yet
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Admin::Stub> admin;
  std::unique_ptr<v1::Customer::Stub> customer;
  std::unique_ptr<v1::Monitor::Stub> monitor;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

// Connects lazily; fails only on what net::MakeChannel refuses.
absl::StatusOr<std::vector<Branch>> Connect(const std::vector<net::BranchAddress>& targets,
                                            const net::TlsFiles& tls);

// After this time a branch that does not answer is asked again.
inline constexpr std::chrono::milliseconds kRedial{100};

// Before asking again a branch that has not answered: returns when its connection changes, as when
// it is back, or after `at_most` if it does not.
void AwaitChange(const Branch& branch, std::chrono::milliseconds at_most);

// Runs `ask` for all branches at once, each on a thread of its own; returns when all are done.
void ForEach(std::vector<Branch>& branches,
             const std::function<void(size_t index, Branch& branch)>& ask);

// What each branch says of itself in time. All are asked at once: one that hangs holds up none.
struct StatusAnswer {
  grpc::Status status;
  v1::BranchStatus branch;
};
std::vector<StatusAnswer> AskStatuses(std::vector<Branch>& branches, Deadline deadline);

// Why a call failed, never empty; and a line of it on stderr.
std::string Why(const grpc::Status& status);
void Complain(const Branch& branch, const grpc::Status& status);

// The exit code that fits a branch's answer.
int ExitCodeOf(const grpc::Status& status);

}  // namespace bank::bankctl
