#include "branch/remote_command/stream/convert.h"

#include <variant>

namespace bank::remote_command {
namespace {

struct Writer {
  void operator()(std::monostate) const { wire.Clear(); }
  void operator()(const SetSamplingInterval& c) const {
    wire.mutable_set_sampling_interval()->set_milliseconds(c.milliseconds);
  }
  void operator()(const SetCollector& c) const {
    wire.mutable_set_collector()->set_collector(c.collector);
    wire.mutable_set_collector()->set_enabled(c.enabled);
  }
  void operator()(const TakeSnapshot&) const { wire.mutable_take_snapshot(); }
  void operator()(const TransferLeadership& c) const {
    wire.mutable_transfer_leadership()->set_branch(static_cast<uint32_t>(c.to.value));
  }
  void operator()(const SetLogLevel& c) const { wire.mutable_set_log_level()->set_level(c.level); }
  void operator()(const ListSessions& c) const { wire.mutable_list_sessions()->set_limit(c.limit); }
  void operator()(const TopAccounts& c) const { wire.mutable_top_accounts()->set_limit(c.limit); }
  void operator()(const VerifyDigest&) const { wire.mutable_verify_digest(); }
  void operator()(const HostDiagnostic& c) const {
    wire.mutable_host_diagnostic()->set_program(c.program);
  }

  v1::Command& wire;
};

}  // namespace

void ToWire(const Command& command, v1::Command* wire) { std::visit(Writer{*wire}, command); }

Command FromWire(const v1::Command& wire) {
  switch (wire.kind_case()) {
    case v1::Command::kSetSamplingInterval:
      return SetSamplingInterval{wire.set_sampling_interval().milliseconds()};
    case v1::Command::kSetCollector:
      return SetCollector{wire.set_collector().collector(), wire.set_collector().enabled()};
    case v1::Command::kTakeSnapshot:
      return TakeSnapshot{};
    case v1::Command::kTransferLeadership:
      return TransferLeadership{BranchId(wire.transfer_leadership().branch())};
    case v1::Command::kSetLogLevel:
      return SetLogLevel{wire.set_log_level().level()};
    case v1::Command::kListSessions:
      return ListSessions{wire.list_sessions().limit()};
    case v1::Command::kTopAccounts:
      return TopAccounts{wire.top_accounts().limit()};
    case v1::Command::kVerifyDigest:
      return VerifyDigest{};
    case v1::Command::kHostDiagnostic:
      return HostDiagnostic{wire.host_diagnostic().program()};
    case v1::Command::KIND_NOT_SET:
      break;
  }
  return std::monostate();
}

void ToWire(const Ended& ended, v1::CommandResult* wire) {
  wire->set_outcome(static_cast<v1::CommandResult::Outcome>(ended.outcome));
  wire->set_exit_status(ended.exit_status);
  wire->set_message(ended.message);
  wire->set_truncated(ended.truncated);
  wire->set_started_unix_nanos(ended.started_unix_ns);
  wire->set_ended_unix_nanos(ended.ended_unix_ns);
  wire->set_repeated(ended.repeated);
}

Order OrderOf(const v1::CommandRequest& request) {
  Order order;
  order.id = request.id();
  order.issuer = request.issuer();
  order.command = FromWire(request.command());
  if (request.deadline_ms() != 0) order.deadline_ms = request.deadline_ms();
  order.issued_unix_ns = request.issued_unix_nanos();
  return order;
}

}  // namespace bank::remote_command
