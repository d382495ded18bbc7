#include "branch/ledger/command.h"
#include "branch/peers/lamport_convert.h"
#include "branch/replication/lamport/core.h"
#include "common/check.h"
#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

using namespace replication::lamport;

constexpr BranchId kSelf{1};
constexpr BranchId kOther{2};

CoreOptions Options() {
  CoreOptions options;
  options.self = kSelf;
  options.members = {kSelf, kOther};
  return options;
}

std::string Deposit() {
  std::string batch;
  ledger::AppendCommand({.kind = ledger::Kind::kDeposit,
                         .session = SessionId(3),
                         .sequence = 7,
                         .account = "shared",
                         .amount = 5},
                        &batch);
  return batch;
}

// A branch of a new bank: the other one says twice that it holds nothing.
Core Joined() {
  Core core(Options());
  for (int twice = 0; twice < 2; ++twice) {
    static_cast<void>(core.Next(kOther));
    core.OnReply(kOther, Reply{.incarnation = 1});
  }
  BANK_CHECK(core.joined());
  return core;
}

// Whatever another branch says, it is refused cleanly, or taken and the branch lives on.
void Go(Core* core) {
  static_cast<void>(core->Take(Deposit(), 1, 0, 1));
  static_cast<void>(core->Next(kOther));
  static_cast<void>(core->TakeAnswers());
}

void RunRequest(std::string_view bytes) {
  v1::LamportRequest wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto request = peers::FromWire(std::move(wire));
  if (!request.ok()) return CheckRefusal(request.status());
  Core core = Joined();
  for (int twice = 0; twice < 2; ++twice) {
    static_cast<void>(peers::ToWire(core.OnRequest(*request)));
    Go(&core);
  }
}

void RunReply(std::string_view bytes) {
  v1::LamportReply wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto reply = peers::FromWire(std::move(wire));
  if (!reply.ok()) return CheckRefusal(reply.status());
  Core core(Options());
  for (int twice = 0; twice < 2; ++twice) {
    static_cast<void>(core.Next(kOther));
    core.OnReply(kOther, *reply);
    Go(&core);
  }
}

std::vector<std::string> RequestSeeds() {
  Request request{.from = kOther, .incarnation = 1};
  request.writes.push_back(
      {1, {2, 0, kOther}, ledger::EncodeEntry({.time_ms = 1, .count = 1}, Deposit()), 3});
  request.decisions.push_back({1, LogIndex(1), 0});
  request.clear = {2, 0, kOther};
  v1::LamportRequest wire = peers::ToWire(request);
  wire.mutable_hello()->set_branch(2);
  v1::LamportRequest join = peers::ToWire(Request{.from = kOther, .incarnation = 2, .join = true});
  join.mutable_hello()->set_branch(2);
  return {wire.SerializeAsString(), join.SerializeAsString()};
}

std::vector<std::string> ReplySeeds() {
  Core core = Joined();
  static_cast<void>(core.Take(Deposit(), 1, 0, 1));
  const Reply state = core.OnRequest(Request{.from = kOther, .incarnation = 2, .join = true});
  return {peers::ToWire(Reply{.incarnation = 1}).SerializeAsString(),
          peers::ToWire(state).SerializeAsString()};
}

constexpr FuzzTarget kTargets[] = {{"lamport_request", RunRequest, RequestSeeds},
                                   {"lamport_reply", RunReply, ReplySeeds}};

}  // namespace

std::span<const FuzzTarget> LamportTargets() { return kTargets; }

}  // namespace bank::fuzz
