#include "branch/telemetry/stream/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "branch/replication/role_name.h"
#include "common/clock.h"
#include "common/hex.h"
#include "common/one_line.h"

namespace bank::telemetry {
namespace {

constexpr size_t kNameMax = 64;
constexpr size_t kAttributesMax = 16;
// Branches that are further apart are compared when they come closer.
constexpr size_t kCheckpointsSent = 8;

absl::Status CheckText(std::string_view text, std::string_view field, size_t max = kTextMax) {
  if (text.size() > max) {
    return absl::InvalidArgumentError(fmt::format("{}: more than {} bytes", field, max));
  }
  if (OneLine(text, std::string::npos) != text) {
    return absl::InvalidArgumentError(fmt::format("{}: control characters", field));
  }
  return absl::OkStatus();
}

std::string Line(std::string_view text) { return OneLine(text, kLineMax); }

uint64_t FromHex(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

template <class To, class From>
To Clamped(From value, From max) {
  return static_cast<To>(std::clamp(value, From{0}, max));
}

}  // namespace

void ToWire(const Agent& agent, v1::Agent* wire) {
  wire->set_agent(agent.name);
  wire->set_hostname(agent.hostname);
  wire->set_branch(static_cast<uint32_t>(agent.branch.value));
  wire->set_incarnation(agent.incarnation);
}

absl::StatusOr<AgentPtr> FromWire(const v1::Agent& wire) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  const std::string& name = wire.agent();
  if (name.empty() || name.size() > kNameMax || !std::all_of(name.begin(), name.end(), allowed)) {
    return absl::InvalidArgumentError("hello.agent: not 1 to 64 of [A-Za-z0-9._-]");
  }
  if (wire.incarnation() == 0) {
    return absl::InvalidArgumentError(
        "hello.incarnation: 0; give each run of the agent a greater number, such as the time");
  }
  if (auto s = CheckText(wire.hostname(), "hello.hostname"); !s.ok()) return s;
  return std::make_shared<const Agent>(Agent{.name = name,
                                             .hostname = wire.hostname(),
                                             .branch = BranchId(wire.branch()),
                                             .incarnation = wire.incarnation()});
}

void ToWire(const replication::ReplicatorStatus& status, BranchId branch, v1::BranchStatus* wire) {
  wire->set_branch(static_cast<uint32_t>(branch.value));
  wire->set_role(std::string(replication::RoleName(status.role)));
  wire->set_term(status.term.value);
  wire->set_leader(static_cast<uint32_t>(status.leader.value));
  wire->set_ready(status.ready);
  wire->set_position(status.ledger.position.value);
  wire->set_commit_index(status.commit_index.value);
  wire->set_applied_index(status.applied_index.value);
  wire->set_last_index(status.last_index.value);
  wire->set_snapshot_index(status.snapshot_index.value);
  wire->set_state_digest(HexDigits(status.ledger.state_digest));
  wire->set_history_digest(HexDigits(status.ledger.history_digest));
  wire->set_accounts(status.ledger.accounts);
  wire->set_sessions(status.ledger.sessions);
  wire->set_balance_total(status.ledger.balance_total);
  if (status.checkpoints == nullptr) return;
  const auto& all = *status.checkpoints;
  for (size_t i = all.size() - std::min(all.size(), kCheckpointsSent); i < all.size(); ++i) {
    auto* checkpoint = wire->add_checkpoints();
    checkpoint->set_applied_index(all[i].index.value);
    checkpoint->set_state_digest(all[i].state_digest);
  }
}

replication::ReplicatorStatus FromWire(const v1::BranchStatus& wire) {
  using replication::Role;
  replication::ReplicatorStatus status;
  for (const Role role : {Role::kFollower, Role::kCandidate, Role::kLeader, Role::kLearner}) {
    if (wire.role() == replication::RoleName(role)) status.role = role;
  }
  status.term = Term(wire.term());
  status.leader = BranchId(wire.leader());
  status.ready = wire.ready();
  status.ledger.position = Position(wire.position());
  status.commit_index = LogIndex(wire.commit_index());
  status.applied_index = LogIndex(wire.applied_index());
  status.last_index = LogIndex(wire.last_index());
  status.snapshot_index = LogIndex(wire.snapshot_index());
  status.ledger.state_digest = FromHex(wire.state_digest());
  status.ledger.history_digest = FromHex(wire.history_digest());
  status.ledger.accounts = wire.accounts();
  status.ledger.sessions = wire.sessions();
  status.ledger.balance_total = wire.balance_total();
  auto checkpoints = std::make_shared<std::vector<replication::Checkpoint>>();
  for (const auto& checkpoint : wire.checkpoints()) {
    if (checkpoints->size() == replication::kCheckpointsMax) break;
    checkpoints->push_back({LogIndex(checkpoint.applied_index()), checkpoint.state_digest()});
  }
  if (!checkpoints->empty()) status.checkpoints = std::move(checkpoints);
  return status;
}

void ToWire(const AuditRecord& record, v1::AuditRecord* wire) {
  wire->set_id(record.id);
  wire->set_agent(record.agent);
  wire->set_issuer(record.issuer);
  wire->set_command(record.command);
  wire->set_issued_unix_nanos(record.issued_unix_ns);
  wire->set_started_unix_nanos(record.started_unix_ns);
  wire->set_ended_unix_nanos(record.ended_unix_ns);
  wire->set_outcome(static_cast<v1::CommandResult::Outcome>(record.outcome));
  wire->set_exit_status(record.exit_status);
  wire->set_message(record.message);
}

AuditRecord FromWire(const v1::AuditRecord& wire) {
  return {.id = Line(wire.id()),
          .agent = Line(wire.agent()),
          .issuer = Line(wire.issuer()),
          .command = Line(wire.command()),
          .issued_unix_ns = wire.issued_unix_nanos(),
          .started_unix_ns = wire.started_unix_nanos(),
          .ended_unix_ns = wire.ended_unix_nanos(),
          .outcome = v1::CommandResult::Outcome_IsValid(wire.outcome())
                         ? static_cast<CommandOutcome>(wire.outcome())
                         : CommandOutcome::kUnknown,
          .exit_status = wire.exit_status(),
          .message = Line(wire.message())};
}

void ToWire(const Event& event, v1::Event* wire) {
  wire->set_time_unix_nanos(event.time_unix_ns);
  wire->set_agent(event.agent);
  wire->set_incarnation(event.incarnation);
  wire->set_number(event.number);
  wire->set_kind(static_cast<v1::Event::Kind>(event.kind));
  wire->set_text(event.text);
  if (event.audit) ToWire(*event.audit, wire->mutable_audit());
}

Event FromWire(const v1::Event& wire) {
  Event event;
  event.time_unix_ns = wire.time_unix_nanos();
  event.agent = Line(wire.agent());
  event.incarnation = wire.incarnation();
  event.number = wire.number();
  if (v1::Event::Kind_IsValid(wire.kind())) {
    event.kind = static_cast<EventKind>(wire.kind());
  }
  event.text = Line(wire.text());
  if (wire.has_audit()) event.audit = FromWire(wire.audit());
  return event;
}

void ToWire(const StoreGap& gap, v1::Gap* wire) {
  wire->set_agent(gap.agent);
  wire->set_incarnation(gap.incarnation);
  wire->set_first_sequence(gap.first_sequence);
  wire->set_last_sequence(gap.last_sequence);
  wire->set_from_unix_nanos(gap.from_unix_ns);
  wire->set_until_unix_nanos(gap.until_unix_ns);
  wire->set_reason(std::string(gap.reason));
}

void ToWire(Liveness liveness, const Life& life, int64_t now_ns, v1::MetricUpdate::Life* wire) {
  constexpr int64_t kMsMax = UINT32_MAX;
  const auto ms = [](int64_t ns) { return Clamped<uint32_t>(ns / kNsPerMs, kMsMax); };
  wire->set_state(liveness == Liveness::kLive      ? v1::MetricUpdate::Life::LIVE
                  : liveness == Liveness::kSuspect ? v1::MetricUpdate::Life::SUSPECT
                                                   : v1::MetricUpdate::Life::DEAD);
  wire->set_silent_ms(life.heard_ns == 0 ? UINT32_MAX : ms(now_ns - life.heard_ns));
  // At least 1: 0 says that it is not broken.
  if (life.broken_ns > life.heard_ns) wire->set_broken_ms(ms(now_ns - life.broken_ns) + 1);
  wire->set_interval_ms(ms(life.interval_ns));
}

Life FromWire(const v1::MetricUpdate::Life& wire, int64_t now_ns) {
  Life life;
  if (wire.silent_ms() != UINT32_MAX) life.heard_ns = now_ns - wire.silent_ms() * kNsPerMs;
  if (wire.broken_ms() != 0) {
    life.broken_ns = std::max(now_ns - (wire.broken_ms() - 1) * kNsPerMs, life.heard_ns + 1);
  }
  life.interval_ns = wire.interval_ms() * kNsPerMs;
  return life;
}

void SampleBatchEncoder::Encode(const SampleBatch& batch, v1::MetricFrame* wire) {
  wire->set_sequence(batch.sequence);
  wire->set_time_unix_nanos(batch.time_unix_ns);
  wire->set_lost_before(batch.lost_before);
  // Series end when agents restart: begin anew rather than remember all of them.
  if (sent_.size() + batch.samples.size() > kSeriesMax) sent_.clear();
  for (const Sample& sample : batch.samples) {
    auto [known, added] = sent_.try_emplace(sample.series.get());
    if (added) {
      known->second = {sample.series, static_cast<uint32_t>(sent_.size())};
      v1::Series* define = wire->add_define();
      define->set_id(known->second.id);
      define->set_metric(sample.series->metric);
      define->set_unit(sample.series->unit);
      for (const auto& [key, value] : sample.series->attributes) {
        (*define->mutable_attributes())[key] = value;
      }
    }
    wire->add_series(known->second.id);
    wire->add_value(sample.value);
  }
  if (batch.status) ToWire(*batch.status, batch.agent->branch, wire->mutable_status());
  for (const Event& event : batch.events) ToWire(event, wire->add_events());
}

absl::Status SampleBatchDecoder::Define(const v1::Series& wire, SampleBatch* batch) {
  if (wire.metric().empty()) return absl::InvalidArgumentError("define.metric: empty");
  if (auto s = CheckText(wire.metric(), "define.metric"); !s.ok()) return s;
  if (auto s = CheckText(wire.unit(), "define.unit"); !s.ok()) return s;
  if (wire.attributes_size() > static_cast<int>(kAttributesMax)) {
    return absl::InvalidArgumentError(
        fmt::format("define.attributes: more than {}", kAttributesMax));
  }
  Series series{.metric = wire.metric(), .attributes = {}, .unit = wire.unit()};
  for (const auto& [key, value] : wire.attributes()) {
    if (auto s = CheckText(key, "define.attributes"); !s.ok()) return s;
    if (auto s = CheckText(value, "define.attributes"); !s.ok()) return s;
    series.attributes.emplace_back(key, value);
  }
  std::sort(series.attributes.begin(), series.attributes.end());
  if (series_.size() >= kSeriesMax && !series_.contains(wire.id())) {
    return absl::InvalidArgumentError(fmt::format("define: more than {} series", kSeriesMax));
  }
  SeriesPtr& known = series_[wire.id()];
  if (known != nullptr && *known == series) return absl::OkStatus();
  const size_t bytes = BytesOf(series);
  bytes_ += bytes - (known == nullptr ? 0 : BytesOf(*known));
  if (bytes_ > kSeriesBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("define: more than {} bytes of names and attributes", kSeriesBytesMax));
  }
  batch->defined_bytes += bytes;
  known = std::make_shared<const Series>(std::move(series));
  return absl::OkStatus();
}

absl::StatusOr<SampleBatchPtr> SampleBatchDecoder::Decode(const AgentPtr& agent,
                                                          const v1::MetricFrame& wire) {
  if (wire.series_size() != wire.value_size()) {
    return absl::InvalidArgumentError(fmt::format("frame {}: {} series, but {} values",
                                                  wire.sequence(), wire.series_size(),
                                                  wire.value_size()));
  }
  if (wire.series_size() > static_cast<int>(kSamplesMax) ||
      wire.events_size() > static_cast<int>(kEventsMax)) {
    return absl::InvalidArgumentError(fmt::format("frame {}: too large", wire.sequence()));
  }
  if (wire.time_unix_nanos() < 0) {
    return absl::InvalidArgumentError(fmt::format("frame {}: a time before 1970", wire.sequence()));
  }
  auto batch = std::make_shared<SampleBatch>();
  for (const v1::Series& define : wire.define()) {
    if (auto s = Define(define, batch.get()); !s.ok()) return s;
  }
  batch->agent = agent;
  batch->sequence = wire.sequence();
  batch->time_unix_ns = wire.time_unix_nanos();
  batch->lost_before = wire.lost_before();
  batch->samples.reserve(static_cast<size_t>(wire.series_size()));
  for (int i = 0; i < wire.series_size(); ++i) {
    const auto series = series_.find(wire.series(i));
    if (series == series_.end()) {
      return absl::InvalidArgumentError(
          fmt::format("frame {}: series {} is not defined", wire.sequence(), wire.series(i)));
    }
    batch->samples.push_back({series->second, wire.value(i)});
  }
  if (wire.has_status() && agent->branch.value != 0) batch->status = FromWire(wire.status());
  for (const v1::Event& event : wire.events()) {
    batch->events.push_back(FromWire(event));
    // An agent speaks for itself alone; what a branch was told to do is the bank's own record.
    batch->events.back().agent = agent->name;
    batch->events.back().incarnation = agent->incarnation;
    if (agent->branch.value == 0) batch->events.back().audit.reset();
  }
  return batch;
}

}  // namespace bank::telemetry
