#include "tests/sim/simulation.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "branch/replication/engine/core.h"
#include "common/check.h"
#include "tests/sim/auditor.h"
#include "tests/sim/branch_process.h"
#include "tests/sim/certificate.h"
#include "tests/sim/client.h"
#include "tests/sim/customer.h"
#include "tests/sim/hostile.h"
#include "tests/sim/hostile_peer.h"
#include "tests/sim/model_log.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/operator.h"
#include "tests/sim/scenarios.h"
#include "tests/sim/world.h"

namespace bank::sim {
namespace {

constexpr uint64_t kVotersMax = 5;

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options), world_(options.seed, options.trace), auditor_(world_) {
    world_.auditor = &auditor_;
    if (options.reorders) world_.network.BreakContract();
    Found();
    operator_ = std::make_unique<Operator>(world_);
    nemesis_ = std::make_unique<Nemesis>(world_, *operator_);
    world_.nemesis = nemesis_.get();
    world_.network.TellEnds([this](NodeId told, NodeId lost) {
      for (BranchProcess* branch : world_.branches) {
        if (branch->node() == lost || (told != 0 && branch->node() != told)) continue;
        branch->OnConnectionLost(BranchId(lost));
      }
    });
    scenarios_ = std::make_unique<Scenarios>(
        world_, *operator_, [this](const char* what, const std::function<bool()>& condition) {
          Await(what, patience_, condition);
        });
    Invite();
  }

  SimulationResult Run() {
    RunFor(world_.random.Between(100, 1500) * kMillisecond);
    nemesis_->Begin();
    if (changes_members_) operator_->Begin(world_.random.Between(100, 800) * kMillisecond);
    RunFor(world_.random.Between(500, 3000) * kMillisecond);
    for (BranchProcess* branch : world_.branches) copies_.push_back(branch->files().Cached());
    RunFor(world_.random.Between(1500, 3000) * kMillisecond);
    operator_->End();
    if (hostile_peer_ != nullptr) hostile_peer_->EndDisruption();
    if (world_.random.OneIn(2)) scenarios_->ElectWithoutSome(*nemesis_);
    nemesis_->Heal();
    Judge();
    SimulationResult result;
    result.violation = world_.violation;
    world_.statistics.steps = world_.scheduler.steps();
    result.statistics = world_.statistics;
    result.digest = world_.trace.digest();
    result.simulated = world_.scheduler.now();
    return result;
  }

 private:
  void Found();
  void Invite();
  void Judge();
  void RestoreOldCopy();
  void JudgeEnd();
  void WipeTwoOfThree();

  void RunFor(SimTime duration) {
    const SimTime until = world_.scheduler.now() + duration;
    while (!world_.violated() && world_.scheduler.RunOne(until)) {
    }
  }
  // Runs until `condition` holds; that it does not in `limit` is a violation.
  void Await(const char* what, SimTime limit, const std::function<bool()>& condition);
  bool CustomersIdle() const {
    return std::all_of(customers_.begin(), customers_.end(),
                       [](const auto& customer) { return customer->idle(); }) &&
           std::all_of(clients_.begin(), clients_.end(),
                       [](const auto& client) { return client->idle(); }) &&
           (hostile_ == nullptr || hostile_->idle());
  }
  bool Converged() const;
  void AwaitConverged() {
    Await("all branches at one applied index", patience_, [this] { return Converged(); });
  }
  std::string Standing() const;  // one line per branch, for a failure's message

  const SimulationOptions options_;
  World world_;
  Auditor auditor_;
  History history_;
  ledger::Limits limits_;
  SimTime patience_ = 0;  // in which a healed bank must make progress
  std::vector<std::unique_ptr<BranchProcess>> branches_;
  std::vector<SimFileSystem::Image> copies_;  // of each folder, taken in the middle of the faults
  bool changes_members_ = false;
  std::unique_ptr<Operator> operator_;
  std::unique_ptr<Nemesis> nemesis_;
  std::unique_ptr<Scenarios> scenarios_;
  std::vector<BranchProcess*> members_;  // after the last change
  std::vector<std::unique_ptr<Customer>> customers_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<Hostile> hostile_;           // none in most banks
  std::unique_ptr<HostilePeer> hostile_peer_;  // likewise
};

void Simulation::Found() {
  Random& random = world_.random;
  static const std::vector<uint64_t> kSizes = {1, 3, 3, 3, 5, 5, 7};
  const uint64_t by_seed = random.Pick(kSizes);
  const uint64_t n = options_.branches != 0 ? options_.branches : by_seed;

  replication::DriverOptions driver;
  // Most banks have as many voters as they may, some a single one, which it then has for good.
  const uint64_t voters = random.OneIn(10) ? 1 : kVotersMax;
  for (uint64_t i = 1; i <= n; ++i) {
    driver.initial_members.push_back({BranchId(i), Operator::AddressOf(BranchId(i)), i <= voters});
  }
  changes_members_ = random.OneIn(2);
  const uint64_t joiners = changes_members_ ? random.Below(4) : 0;
  driver.election_timeout_ms = static_cast<uint32_t>(random.Between(150, 1000));
  driver.heartbeat_ms = static_cast<uint32_t>(
      random.Between(20, std::max<int64_t>(driver.election_timeout_ms / 5, 30)));
  driver.snapshot_timeout_ms = static_cast<uint32_t>(random.Between(400, 3000));
  driver.inflight_entries_max = static_cast<uint32_t>(random.Between(4, 64));
  driver.entries_open_max = static_cast<uint32_t>(random.Between(1, 4));
  driver.entry_commands_max = random.OneIn(2) ? 8192 : static_cast<uint32_t>(random.Between(1, 32));
  driver.snapshot_every_entries =
      random.OneIn(4) ? 50'000 : static_cast<uint64_t>(random.Between(10, 150));
  driver.trailing_entries = driver.inflight_entries_max + 1 + random.Below(40);
  // In some banks branches cut their logs as often and as short as they may: much of what one
  // sends the other does not hold any more.
  if (random.OneIn(4)) {
    driver.inflight_entries_max = static_cast<uint32_t>(random.Between(4, 8));
    driver.trailing_entries = driver.inflight_entries_max + 1;
    driver.snapshot_every_entries = static_cast<uint64_t>(random.Between(1, 10));
  }
  // Guard 17 refuses this.
  if ((options_.guards_off >> 17 & 1) != 0) driver.trailing_entries = 1 + random.Below(3);
  limits_.session_window_max =
      random.OneIn(2) ? 16'384 : static_cast<uint64_t>(random.Between(32, 128));
  // In some banks customers come and go so fast that sessions end all the time.
  if (random.OneIn(3)) limits_.sessions_max = static_cast<uint64_t>(random.Between(1, 8));
  if (random.OneIn(3)) limits_.session_idle_ms_max = random.Between(100, 3000);
  limits_.only_session_idle_ms_min = random.Between(0, 1000);
  if (random.OneIn(4)) limits_.remembered_max = static_cast<uint64_t>(random.Between(1, 200));
  driver.ledger_limits = limits_;
  driver.engine_guards_off = options_.guards_off;
  patience_ = 20 * kSecond + SimTime{driver.election_timeout_ms} * 40 * kMillisecond;

  storage::StorageOptions storage;
  storage.segment_bytes = static_cast<uint64_t>(random.Between(2, 64)) * 1024;
  for (uint64_t i = 1; i <= n + joiners; ++i) {
    driver.self = BranchId(i);
    branches_.push_back(std::make_unique<BranchProcess>(world_, driver, storage));
    world_.branches.push_back(branches_.back().get());
  }
  for (BranchProcess* branch : world_.branches) {
    if (branch->id().value > n) break;  // the operator starts those that join
    // Some lose their power while they are founded; the nemesis, or the heal, starts them again.
    if (random.OneIn(6)) branch->files().CutPowerAtCall(random.Below(60));
    world_.scheduler.After(random.Between(0, 300) * kMillisecond, [branch] { branch->Start(); });
    world_.scheduler.After(random.Between(300, 600) * kMillisecond, [branch] { branch->Start(); });
  }
}

void Simulation::Invite() {
  Random& random = world_.random;
  const int64_t customers = random.Between(1, 5);
  CustomerOptions options;
  options.accounts = static_cast<uint64_t>(random.Between(1, 6));
  options.window = limits_.session_window_max;
  for (int64_t i = 1; i <= customers; ++i) {
    options.number = static_cast<uint64_t>(i);
    options.in_flight_max = static_cast<uint64_t>(random.Between(1, 8));
    options.batch_max = static_cast<uint64_t>(random.Between(1, 5));
    options.read_permille = random.Below(700);
    options.keyless_permille = random.OneIn(2) ? random.Below(400) : 0;
    options.forgets = random.OneIn(2);
    options.timeout_ms = random.Between(80, 1500);
    options.attempts_max = static_cast<uint64_t>(random.Between(1, 8));
    options.think_max = random.Between(5, 150) * kMillisecond;
    customers_.push_back(std::make_unique<Customer>(world_, history_, options));
    customers_.back()->Begin();
  }
  ClientOptions client;
  client.accounts = options.accounts;
  for (int64_t i = random.Between(0, 3); i > 0; --i) {
    client.number = static_cast<uint64_t>(i);
    client.read_permille = random.Below(700);
    client.patience = {.attempt_ns_max = random.Between(50, 1000) * 1'000'000,
                       .operation_ns_max = random.Between(100, 4000) * 1'000'000,
                       .lookup_ns_max = random.Between(50, 2000) * 1'000'000,
                       .backoff_ns_min = random.Between(1, 20) * 1'000'000,
                       .backoff_ns_max = random.Between(20, 250) * 1'000'000};
    client.think_max = random.Between(1, 150) * kMillisecond;
    clients_.push_back(std::make_unique<Client>(world_, history_, client));
    clients_.back()->Begin();
  }
  if (random.OneIn(3)) {
    hostile_ = std::make_unique<Hostile>(world_, history_);
    hostile_->Begin();
  }
  if (random.OneIn(3)) {
    world_.hears_lies = true;
    hostile_peer_ = std::make_unique<HostilePeer>(world_);
    hostile_peer_->Begin();
  }
}

void Simulation::Judge() {
  for (const auto& customer : customers_) customer->Drain();
  for (const auto& client : clients_) client->Drain();
  if (hostile_ != nullptr) hostile_->Drain();
  const auto idle = [this] { return CustomersIdle(); };
  Await("the membership settled", patience_, [this] { return operator_->Settled(); });
  members_ = operator_->Members();
  Await("the requests under way answered", patience_, idle);
  for (const auto& customer : customers_) customer->ResolveUnknown();
  Await("unknown writes resolved", patience_, idle);
  customers_.front()->TakeSession();
  Await("a session", patience_, idle);
  if (world_.violated()) return;
  customers_.front()->Probe(members_.front()->id());
  Await("a write and a read", patience_, idle);
  if (world_.random.OneIn(4)) RestoreOldCopy();
  const bool hands_over = world_.random.OneIn(3);
  if (hands_over) {
    RunFor(world_.network.LastArrival() - world_.scheduler.now());
    AwaitConverged();
  }
  for (const auto& customer : customers_) customer->ReplayAll();
  if (hands_over) {
    RunFor(world_.random.Between(1, 30) * kMillisecond);
    scenarios_->HandOver();
  }
  Await("every write answered once more", patience_, idle);
  customers_.front()->TakeSession();
  Await("a session", patience_, idle);
  for (BranchProcess* branch : members_) customers_.front()->Probe(branch->id());
  Await("a write and a read through every branch", patience_, idle);
  AwaitConverged();
  if (world_.random.OneIn(3)) {
    scenarios_->PromoteStandby();
    AwaitConverged();
  }
  if (!world_.violated()) JudgeEnd();
  if (!world_.violated() && world_.random.OneIn(3)) WipeTwoOfThree();
}

// The end of a bank: two of three folders are gone, which nobody knows, and the third branch lacks
// what only they had acknowledged. Nobody may go on as if that had never been.
void Simulation::WipeTwoOfThree() {
  if (branches_.size() != 3 || changes_members_) return;
  for (const replication::Member& member : members_.front()->membership().members) {
    if (!member.voter) return;
  }
  customers_.front()->TakeSession();
  Await("a session", patience_, [this] { return CustomersIdle(); });
  AwaitConverged();
  if (world_.violated()) return;
  std::vector<BranchProcess*> wiped = members_;
  BranchProcess* lagging = world_.random.Pick(wiped);
  if (lagging->status().role == replication::Role::kLeader) {
    lagging = members_[lagging == members_.front() ? 1 : 0];
  }
  std::erase(wiped, lagging);
  ++world_.statistics.two_of_three_wiped;
  world_.trace.Note("two of three are wiped; this one lags", lagging->id().value);
  for (BranchProcess* branch : wiped) {
    world_.network.Cut(branch->node(), lagging->node());
    world_.network.Cut(lagging->node(), branch->node());
  }
  customers_.front()->Probe(wiped.front()->id());
  Await("a write while one lags", patience_, [this] { return CustomersIdle(); });
  if (world_.violated()) return;
  for (BranchProcess* branch : wiped) {
    branch->Stop(BranchProcess::Cause::kPowerLoss);
    branch->ForgetFolder();
    world_.scheduler.After(world_.random.Between(0, 300) * kMillisecond,
                           [branch] { branch->Start(); });
  }
  world_.network.MendAll();
  // One of them may hear of the other before it hears of the one that lags.
  if (world_.random.OneIn(2)) world_.network.Cut(lagging->node(), wiped.back()->node());
  RunFor(world_.random.Between(0, 4000) * kMillisecond);
  world_.network.MendAll();
  RunFor(patience_ / 4);
  for (const BranchProcess* branch : members_) {
    if (branch->status().role == replication::Role::kLeader) {
      world_.Violate(absl::StrCat("branch ", branch->id().value,
                                  " leads, and lacks what was acknowledged: ", Standing()));
    }
  }
  for (const BranchProcess* branch : wiped) {
    if (!branch->status().rebuilding) {
      world_.Violate(absl::StrCat("branch ", branch->id().value,
                                  " does not know that it was wiped: ", Standing()));
    }
  }
}

// Brings back an old copy of one folder, in calm: what it has forgotten to have acknowledged only a
// leader that still knows it can notice. The branch must not serve with it: it says so and stops,
// or is found to have lost nothing.
void Simulation::RestoreOldCopy() {
  AwaitConverged();
  if (world_.violated()) return;
  BranchProcess& branch = *world_.random.Pick(members_);
  const size_t i = branch.id().value - 1;
  if (branch.status().role == replication::Role::kLeader || copies_[i].empty() ||
      !operator_->CanSpare(branch)) {
    return;
  }
  ++world_.statistics.old_copies_restored;
  world_.trace.Note("old copy", branch.id().value);
  branch.Stop(BranchProcess::Cause::kKilled);
  branch.RestoreFolder(copies_[i]);
  branch.Start();
  if (branch.state() == BranchProcess::State::kDamaged) branch.MarkDamaged();
  Await("an old copy of a folder noticed or brought up to date", patience_, [&] {
    if (branch.state() == BranchProcess::State::kDamaged) {
      branch.Start(storage::OnDamage::kRebuild);
    }
    return Converged() && !branch.recovering();
  });
}

void Simulation::JudgeEnd() {
  ModelLog model_log(limits_);
  for (const std::string& payload : auditor_.Applied()) {
    if (const std::string wrong = model_log.Read(payload); !wrong.empty())
      return world_.Violate(wrong);
  }
  world_.statistics.sessions_expired = model_log.sessions_expired();
  if (const std::string wrong = model_log.Settle(&history_); !wrong.empty()) {
    return world_.Violate(wrong);
  }
  Model model;
  if (const std::string wrong = CheckCertificate(history_, &model); !wrong.empty()) {
    return world_.Violate(wrong);
  }
  for (const BranchProcess* branch : members_) {
    const replication::ReplicatorStatus& status = branch->status();
    const replication::ReplicatorStatus& first = members_.front()->status();
    if (status.ledger.state_digest != first.ledger.state_digest ||
        status.ledger.history_digest != first.ledger.history_digest) {
      return world_.Violate(absl::StrCat("digests differ at the end: ", Standing()));
    }
    // As leader it would never make another change.
    if (!branch->membership().committed) {
      return world_.Violate(absl::StrCat("branch ", branch->id().value,
                                         " waits at the end for the ", "commit of the change at ",
                                         branch->membership().index.value, ": ", Standing()));
    }
    if (const absl::Status sum = branch->ledger().Freeze().CheckConservation(); !sum.ok()) {
      return world_.Violate(sum.ToString());
    }
    if (const std::string wrong = model_log.Compare(branch->ledger()); !wrong.empty()) {
      return world_.Violate(absl::StrCat("branch ", branch->id().value, ": ", wrong));
    }
    for (const auto& [account, balance] : model.balances()) {
      const ledger::Outcome told = branch->ledger().Query(account);
      if (told.balance != balance) {
        return world_.Violate(absl::StrCat("branch ", branch->id().value, " ends with ",
                                           told.balance, " on ", account,
                                           "; the customers' answers add up to ", balance));
      }
    }
  }
}

void Simulation::Await(const char* what, SimTime limit, const std::function<bool()>& condition) {
  const SimTime until = world_.scheduler.now() + limit;
  while (!world_.violated() && !condition()) {
    if (world_.scheduler.RunOne(until)) continue;
    world_.Violate(absl::StrCat("no progress in ", limit / kMillisecond, " ms after the heal: not ",
                                what, "; ", Standing()));
  }
}

bool Simulation::Converged() const {
  const replication::ReplicatorStatus& first = members_.front()->status();
  return std::all_of(members_.begin(), members_.end(), [&](const auto* branch) {
    const replication::ReplicatorStatus& status = branch->status();
    return branch->up() && status.ready && status.applied_index == first.applied_index &&
           status.applied_index == status.last_index;
  });
}

std::string Simulation::Standing() const {
  std::string text;
  for (const BranchProcess* branch : world_.branches) {
    const replication::ReplicatorStatus& status = branch->status();
    absl::StrAppend(&text, "[", branch->id().value, branch->up() ? "" : " DOWN",
                    branch->recovering() ? " rebuilding" : "", status.removed ? " removed" : "",
                    " role ", static_cast<int>(status.role), " term ", status.term.value,
                    " leader ", status.leader.value, " applied ", status.applied_index.value, "/",
                    status.commit_index.value, "/", status.last_index.value, " snapshot ",
                    status.snapshot_index.value, status.ready ? "" : " not ready", "]");
  }
  return text;
}

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) {
  static const bool counts = (core_count_memory(), true);
  BANK_CHECK(counts);
  const size_t before = core_memory_blocks();
  SimulationResult result = Simulation(options).Run();
  const size_t kept = core_memory_blocks() - before;
  if (kept != 0 && result.violation.empty()) {
    result.violation = absl::StrCat("the engine keeps ", kept, " blocks of memory after the end");
  }
  return result;
}

}  // namespace bank::sim
