#include "branch/node/http_port.h"

#include <chrono>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "branch/console/exposition.h"

namespace bank::node {
namespace {

constexpr std::chrono::nanoseconds kCheckPatience = std::chrono::milliseconds(800);
// How many entries a branch may lack and still be as good as the others.
constexpr uint64_t kLagMax = 10'000;
constexpr uint64_t kAccountsSortedMax = 10'000;

// Waits for a completion of the replicator, but not for longer than it has any right to take: that
// it never comes is what a check is for.
template <class Ask>
absl::Status Await(const HttpParts& parts, Ask ask) {
  auto answer = std::make_shared<std::promise<absl::Status>>();
  ask(parts.clock.NowNs() + kCheckPatience.count(),
      [answer](absl::Status status) { answer->set_value(std::move(status)); });
  auto future = answer->get_future();
  if (future.wait_for(2 * kCheckPatience) != std::future_status::ready) {
    return absl::UnavailableError("the replicator's thread does not answer");
  }
  return future.get();
}

// The driver's thread takes its inbox and answers.
absl::Status Replica(const HttpParts& parts) {
  return Await(parts, [&](int64_t deadline_ns, auto done) {
    parts.order.Ping(deadline_ns, std::move(done));
  });
}

absl::Status Quorum(const HttpParts& parts) {
  return Await(parts, [&](int64_t deadline_ns, auto done) {
    parts.order.replicator().ReadBarrier(deadline_ns, std::move(done));
  });
}

absl::Status Founded(const HttpParts& parts) {
  if (parts.order.replicator().GetStatus().ledger.position.value > 0) return absl::OkStatus();
  return absl::UnavailableError("the bank's first write is not here yet");
}

absl::Status CaughtUp(const HttpParts& parts) {
  const auto status = parts.order.replicator().GetStatus();
  const uint64_t known = status.known_commit_index.value;
  const uint64_t applied = status.applied_index.value;
  if (known <= applied + kLagMax) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(known - applied, " entries behind"));
}

// The largest balances, or, where finding them twice a second would cost a core, the shared one.
std::vector<std::pair<std::string, int64_t>> Balances(Order& order, size_t limit) {
  std::vector<std::pair<std::string, int64_t>> balances;
  if (order.replicator().GetStatus().ledger.accounts > kAccountsSortedMax) {
    const ledger::Outcome shared = order.replicator().Query(ledger::kSharedAccount);
    if (shared.code == ledger::Code::kOk) {
      balances.emplace_back(ledger::kSharedAccount, shared.balance);
    }
    return balances;
  }
  std::optional<ledger::FrozenLedger> frozen;
  order.admin().ReadLedger([&](const ledger::Ledger& ledger) { frozen = ledger.Freeze(); });
  for (const ledger::AccountView& account : frozen->TopAccounts(limit)) {
    balances.emplace_back(account.name, account.balance);
  }
  return balances;
}

telemetry::SampleBatchPtr NewestOf(const telemetry::MetricStore& store, const std::string& agent) {
  for (telemetry::AgentView& view : store.Agents()) {
    if (view.agent->name == agent) return std::move(view.newest);
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::unique_ptr<console::Console>> StartHttp(const HttpParts& parts) {
  console::ConsoleSources sources;
  sources.view.self = parts.config.self;
  for (const auto& member : parts.config.driver.initial_members)
    sources.view.members.push_back(member.id);
  sources.view.serves = parts.serves;
  sources.view.balances = [parts](size_t limit) { return Balances(parts.order, limit); };
  sources.metrics = [parts] {
    return console::Expose(NewestOf(parts.store, parts.self->name).get(), parts.metrics(),
                           *parts.self);
  };
  sources.live = {{"loop", [parts] { return Replica(parts); }}};
  sources.ready = {{"loop", [parts] { return Replica(parts); }},
                   {"founded", [parts] { return Founded(parts); }},
                   {"quorum", [parts] { return Quorum(parts); }},
                   {"caught-up", [parts] { return CaughtUp(parts); }}};
  return console::Console::Start({.listen = parts.config.http, .tls = parts.config.tls},
                                 std::move(sources), parts.store);
}

}  // namespace bank::node
