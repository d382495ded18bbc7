#include "branch/console/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "branch/replication/role_name.h"
#include "common/clock.h"
#include "common/hex.h"

namespace bank::console {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kBalancesShown = 5;
constexpr size_t kEventsShown = 200;
constexpr size_t kBatchesAtATime = 256;
// A sample batch may arrive some time after its instant: points this far back are sent again.
constexpr int64_t kLateMs = 3000;

// A quantity of the page: the sum of the samples of one metric that have all these attributes.
struct Quantity {
  std::string_view name;
  std::string_view metric;
  std::vector<std::pair<std::string, std::string>> attributes;
  bool whole = false;  // only the sample without further attributes
};

const std::vector<Quantity>& Quantities() {
  static const std::vector<Quantity> quantities = {
      {"ops", "bank.operations.rate", {}},
      {"ops_read", "bank.operations.rate", {{"kind", "read"}}},
      {"ops_write", "bank.operations.rate", {{"kind", "write"}}},
      {"p50", "bank.request.duration", {{"quantile", "0.5"}}},
      {"p99", "bank.request.duration", {{"quantile", "0.99"}}},
      {"lag", "bank.raft.lag", {}},
      {"sync", "bank.disk.sync.duration", {{"quantile", "0.99"}}},
      {"cpu", "system.cpu.utilization", {}, true},
      {"mem", "system.memory.utilization", {}, true},
      {"dr", "system.disk.io", {{"direction", "read"}}, true},
      {"dw", "system.disk.io", {{"direction", "write"}}, true},
      {"ni", "system.network.io", {{"direction", "receive"}}},
      {"no", "system.network.io", {{"direction", "transmit"}}},
  };
  return quantities;
}

bool Matches(const Quantity& quantity, const telemetry::Series& series) {
  if (series.metric != quantity.metric) return false;
  if (quantity.whole && series.attributes.size() != quantity.attributes.size()) return false;
  const auto has = [&](const auto& attribute) {
    return std::find(series.attributes.begin(), series.attributes.end(), attribute) !=
           series.attributes.end();
  };
  // What a host says to itself is no traffic.
  if (has(std::pair<std::string, std::string>{"device", "lo"})) return false;
  return std::all_of(quantity.attributes.begin(), quantity.attributes.end(), has);
}

Json ValuesOf(const telemetry::SampleBatch& batch) {
  Json values = Json::object();
  for (const Quantity& quantity : Quantities()) {
    std::optional<double> sum;
    for (const telemetry::Sample& sample : batch.samples) {
      if (Matches(quantity, *sample.series)) sum = sum.value_or(0) + sample.value;
    }
    if (sum) values[std::string(quantity.name)] = *sum;
  }
  return values;
}

std::string_view Name(telemetry::Liveness liveness) {
  switch (liveness) {
    case telemetry::Liveness::kLive:
      return "live";
    case telemetry::Liveness::kSuspect:
      return "suspect";
    case telemetry::Liveness::kDead:
      return "dead";
  }
  return "dead";
}

std::string_view Name(telemetry::EventKind kind) {
  switch (kind) {
    case telemetry::EventKind::kElection:
      return "election";
    case telemetry::EventKind::kJoined:
      return "joined";
    case telemetry::EventKind::kLost:
      return "lost";
    case telemetry::EventKind::kReadiness:
      return "readiness";
    case telemetry::EventKind::kCustomer:
      return "customer";
    case telemetry::EventKind::kCommand:
      return "command";
    case telemetry::EventKind::kSnapshot:
      return "snapshot";
    case telemetry::EventKind::kOther:
      return "other";
  }
  return "other";
}

std::string_view Name(AgreementState agreement) {
  switch (agreement) {
    case AgreementState::kHolds:
      return "holds";
    case AgreementState::kPartial:
      return "partial";
    case AgreementState::kBroken:
      return "broken";
    case AgreementState::kUnknown:
      return "unknown";
  }
  return "unknown";
}

const telemetry::AgentView* Find(const std::vector<telemetry::AgentView>& agents, BranchId branch) {
  for (const telemetry::AgentView& agent : agents) {
    if (agent.agent->branch == branch) return &agent;
  }
  return nullptr;
}

bool IsLive(const telemetry::AgentView* agent) {
  return agent != nullptr && agent->liveness != telemetry::Liveness::kDead;
}

const replication::ReplicatorStatus* StatusOf(const telemetry::AgentView* agent) {
  const bool known = agent != nullptr && agent->status.has_value();
  return known ? &*agent->status : nullptr;
}

Json BranchJson(BranchId id, const telemetry::AgentView* agent, bool leads) {
  Json branch = {
      {"id", id.value},
      {"host", agent != nullptr ? agent->agent->hostname : ""},
      {"liveness", Name(agent != nullptr ? agent->liveness : telemetry::Liveness::kDead)},
      {"leads", leads}};
  if (const auto* status = StatusOf(agent)) {
    branch["role"] = replication::RoleName(status->role);
    branch["term"] = status->term.value;
    branch["ready"] = status->ready;
    branch["position"] = status->ledger.position.value;
    branch["digest"] = HexDigits(status->ledger.state_digest);
  }
  if (IsLive(agent) && agent->newest != nullptr) {
    const Json values = ValuesOf(*agent->newest);
    for (const char* name : {"ops", "ops_read", "ops_write", "p50", "p99", "lag"}) {
      if (values.contains(name)) branch[name] = values[name];
    }
  }
  return branch;
}

Json PointJson(const telemetry::SampleBatch& batch) {
  return {{"b", batch.agent->branch.value},
          {"t", batch.time_unix_ns / kNsPerMs},
          {"v", ValuesOf(batch)}};
}

Json EventJson(const telemetry::Event& event) {
  return {{"t", event.time_unix_ns / kNsPerMs},
          {"agent", event.agent},
          {"incarnation", std::to_string(event.incarnation)},
          {"number", event.number},
          {"kind", Name(event.kind)},
          {"text", event.text}};
}

std::string Dump(const Json& message) {
  return message.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

View::View(ViewSources sources, telemetry::MetricStore& store)
    : sources_(std::move(sources)),
      store_(store),
      news_(store.Subscribe({.events = true, .events_past = 0}, [] {})) {}

void View::PassOver() {
  CompareIn(store_.Agents());
  while (!news_->Take(kBatchesAtATime).empty()) {
  }
}

Agreement::Verdict View::CompareIn(const std::vector<telemetry::AgentView>& agents) {
  std::vector<BranchId> live;
  for (const BranchId id : sources_.members) {
    const telemetry::AgentView* agent = Find(agents, id);
    const replication::ReplicatorStatus* status = StatusOf(agent);
    if (status == nullptr || !IsLive(agent)) continue;
    live.push_back(id);
    agreement_.Note(id, status->applied_index, HexDigits(status->ledger.state_digest));
    if (status->checkpoints == nullptr) continue;
    for (const replication::Checkpoint& checkpoint : *status->checkpoints) {
      agreement_.Note(id, checkpoint.index, HexDigits(checkpoint.state_digest));
    }
  }
  return agreement_.Judge(live, sources_.members.size());
}

std::string View::Compose(int64_t now_ms, int64_t since_ms) {
  const int64_t from_ms = std::max(since_ms - kLateMs, now_ms - kHistoryMs);
  Json message = Now(now_ms);
  message["points"] = Json::array();
  const std::vector<telemetry::AgentView> agents = store_.Agents();
  for (const BranchId id : sources_.members) {
    const telemetry::AgentView* agent = Find(agents, id);
    if (agent == nullptr) continue;
    for (const telemetry::SampleBatchPtr& batch :
         store_.History(agent->agent->name, from_ms * kNsPerMs)) {
      message["points"].push_back(PointJson(*batch));
    }
  }
  message["events"] = Json::array();
  for (const telemetry::Event& event : store_.Events(kEventsShown)) {
    if (since_ms != 0 && event.time_unix_ns / kNsPerMs < from_ms) continue;
    message["events"].push_back(EventJson(event));
  }
  return Dump(message);
}

std::string View::ComposeNews(int64_t now_ms) {
  Json message = Now(now_ms);
  message["points"] = Json::array();
  message["events"] = Json::array();
  const int64_t from_ns = (now_ms - kHistoryMs) * kNsPerMs;
  const auto& members = sources_.members;
  for (auto chunk = news_->Take(kBatchesAtATime); !chunk.empty();
       chunk = news_->Take(kBatchesAtATime)) {
    for (const telemetry::SampleBatchPtr& batch : chunk.batches) {
      const bool of_member =
          std::find(members.begin(), members.end(), batch->agent->branch) != members.end();
      if (of_member && batch->time_unix_ns >= from_ns) {
        message["points"].push_back(PointJson(*batch));
      }
    }
    for (const telemetry::Event& event : chunk.events) {
      message["events"].push_back(EventJson(event));
    }
  }
  return Dump(message);
}

Json View::Now(int64_t now_ms) {
  const std::vector<telemetry::AgentView> agents = store_.Agents();

  // Who leads: as the live branch of the highest term knows it, if that one is live.
  Term term;
  BranchId leader;
  for (const BranchId id : sources_.members) {
    const telemetry::AgentView* agent = Find(agents, id);
    const auto* status = StatusOf(agent);
    if (status == nullptr || !IsLive(agent) || status->term < term) continue;
    if (status->term > term || status->role == replication::Role::kLeader) {
      leader = status->role == replication::Role::kLeader ? id : status->leader;
    }
    term = status->term;
  }

  Json message = {{"t", now_ms}, {"branch", sources_.self.value}, {"serves", sources_.serves()}};
  const Agreement::Verdict verdict = CompareIn(agents);
  const auto* own = StatusOf(Find(agents, sources_.self));
  message["money"] = {
      {"state", Name(verdict.state)},
      {"detail", verdict.detail},
      {"total", own != nullptr ? Json(std::to_string(own->ledger.balance_total)) : Json(nullptr)}};
  message["balances"] = Json::array();
  for (const auto& [name, balance] : sources_.balances(kBalancesShown)) {
    message["balances"].push_back({name, std::to_string(balance)});
  }
  if (own != nullptr) message["accounts"] = own->ledger.accounts;

  message["branches"] = Json::array();
  for (const BranchId id : sources_.members) {
    const telemetry::AgentView* agent = Find(agents, id);
    message["branches"].push_back(BranchJson(id, agent, IsLive(agent) && leader == id));
  }
  return message;
}

}  // namespace bank::console
