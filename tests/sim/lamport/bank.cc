#include "tests/sim/lamport/bank.h"

#include <algorithm>
#include <utility>

namespace bank::sim {

using replication::lamport::Core;
using replication::lamport::Reply;
using replication::lamport::Request;

namespace {

constexpr int64_t kRestLimitMs = 60'000;
constexpr uint64_t kSessions = 4;
constexpr uint64_t kFirstSession = 1'000;

}  // namespace

LamportBank::LamportBank(LamportPlan plan)
    : plan_(plan), random_(plan.seed), branches_(plan.branches) {
  for (size_t i = 0; i < branches_.size(); ++i) Start(i);
}

void LamportBank::After(int64_t ms, std::function<void()> run) {
  queue_.push({now_ms_ + ms, ++events_, std::move(run)});
}

void LamportBank::Start(size_t i) {
  Branch& branch = branches_[i];
  branch = Branch();
  branch.incarnation = ++incarnations_;
  replication::lamport::CoreOptions options;
  options.self = BranchId(i + 1);
  options.incarnation = branch.incarnation;
  options.request_bytes_max = 300;  // several exchanges for what is sent at once
  for (size_t k = 0; k < branches_.size(); ++k) options.members.push_back(BranchId(k + 1));
  branch.core = std::make_unique<Core>(options);
  Pump(i);
}

void LamportBank::Kill(size_t i) {
  // Nothing is on disk: one that holds everything has to live on.
  const bool another = std::any_of(branches_.begin(), branches_.end(), [&](const Branch& branch) {
    return &branch != &branches_[i] && branch.core != nullptr && branch.core->joined();
  });
  if (!another || branches_[i].core == nullptr) return;
  ++kills_;
  branches_[i] = Branch();
  After(1 + static_cast<int64_t>(Draw(200)), [this, i] { Start(i); });
}

void LamportBank::Pump(size_t i) {
  Branch& branch = branches_[i];
  if (branch.core == nullptr) return;
  Collect(i);
  for (size_t to = 0; to < branches_.size(); ++to) {
    if (to == i) continue;
    auto request = branch.core->Next(BranchId(to + 1));
    if (!request) continue;
    const uint64_t exchange = branch.exchanges[to] = ++events_;
    const uint64_t incarnation = branch.incarnation;
    const bool busy = now_ms_ < plan_.busy_ms && plan_.losses;
    const uint64_t luck = busy ? Draw(20) : 20;
    if (luck < 2) {  // lost, or too late: the sender gives it up
      ++losses_;
      After(30, [=, this] {
        End(i, incarnation, to, exchange, [to](Core& core) { core.OnFailure(BranchId(to + 1)); });
      });
      if (luck == 0) continue;
    }
    const auto shared = std::make_shared<const Request>(*std::move(request));
    const auto delay = [this] { return static_cast<int64_t>(Draw(Draw(8) == 0 ? 80 : 6)); };
    After(delay(), [=, this] { Deliver(i, to, exchange, *shared, true); });
    if (luck == 2) After(delay(), [=, this] { Deliver(i, to, exchange, *shared, false); });
  }
}

void LamportBank::Deliver(size_t from, size_t to, uint64_t exchange, const Request& request,
                          bool answers) {
  Branch& receiver = branches_[to];
  if (receiver.core == nullptr) {
    return After(2, [=, this, incarnation = request.incarnation] {
      End(from, incarnation, to, exchange, [to](Core& core) { core.OnFailure(BranchId(to + 1)); });
    });
  }
  const auto reply = std::make_shared<Reply>(receiver.core->OnRequest(request));
  Pump(to);
  if (!answers) return;
  After(static_cast<int64_t>(Draw(5)), [=, this, incarnation = request.incarnation] {
    End(from, incarnation, to, exchange,
        [to, reply](Core& core) { core.OnReply(BranchId(to + 1), *reply); });
  });
}

void LamportBank::End(size_t from, uint64_t incarnation, size_t to, uint64_t exchange,
                      std::function<void(Core&)> how) {
  Branch& sender = branches_[from];
  if (sender.core == nullptr || sender.incarnation != incarnation) return;
  const auto open = sender.exchanges.find(to);
  if (open == sender.exchanges.end() || open->second != exchange) return;
  sender.exchanges.erase(open);
  how(*sender.core);
  Collect(from);
  // Not at once: whoever is refused would ask again and again.
  After(static_cast<int64_t>(Draw(3)), [this, from] { Pump(from); });
}

void LamportBank::Write(size_t i, ledger::Command command) {
  Branch& branch = branches_[i];
  if (branch.core == nullptr) return;
  std::string batch;
  ledger::AppendCommand(command, &batch);
  const auto taken = branch.core->Take(batch, 1, 0, now_ms_);
  if (!taken.ok()) return;  // certain
  writes_.push_back(
      {.command = command, .invoked_ms = now_ms_, .answered_before = answered_position_});
  branch.open.emplace(*taken, writes_.size() - 1);
  Pump(i);
}

bool LamportBank::AllJoined() const {
  return std::all_of(branches_.begin(), branches_.end(), [](const Branch& branch) {
    return branch.core != nullptr && branch.core->joined();
  });
}

void LamportBank::Customer() {
  const size_t i = Draw(branches_.size());
  // Events are those of a bank whose branches were all up.
  if (branches_[i].core != nullptr && (plan_.kills || AllJoined())) {
    const SessionId session(kFirstSession + Draw(kSessions));
    const uint64_t dice = Draw(10);
    if (dice < 3 && branches_[i].core->joined()) {
      branches_[i].reads.push_back({branches_[i].core->highest_received(), answered_position_});
      Pump(i);
    } else if (dice < 4) {
      Write(i, {.kind = ledger::Kind::kOpenSession, .session = session});
    } else {
      const bool withdraws = dice < 7;
      Write(i, {.kind = withdraws ? ledger::Kind::kWithdraw : ledger::Kind::kDeposit,
                .session = session,
                .sequence = ++sequences_[session.value],
                .answered_below = 1,
                .account = ledger::kSharedAccount,
                .amount = static_cast<int64_t>(1 + Draw(withdraws ? 150 : 100))});
    }
  }
  if (plan_.kills && Draw(60) == 0) Kill(Draw(branches_.size()));
  if (now_ms_ < plan_.busy_ms) After(static_cast<int64_t>(Draw(25)), [this] { Customer(); });
}

void LamportBank::Collect(size_t i) {
  Branch& branch = branches_[i];
  for (auto& answer : branch.core->TakeAnswers()) {
    const auto open = branch.open.find(answer.write);
    if (open == branch.open.end()) continue;
    LamportWrite& write = writes_[open->second];
    branch.open.erase(open);
    write.answered = true;
    write.outcome = answer.outcomes.at(0);
    write.stamp = answer.stamp;
    answered_position_ = std::max(answered_position_, write.outcome.position.value);
  }
  std::erase_if(branch.reads, [&](const Read& read) {
    if (!branch.core->HasApplied(read.target)) return false;
    ++reads_;
    if (branch.core->ledger().position().value < read.answered_before) ++stale_reads_;
    return true;
  });
}

bool LamportBank::AtRest() const {
  return std::all_of(branches_.begin(), branches_.end(), [this](const Branch& branch) {
    return branch.core != nullptr && branch.core->joined() && branch.core->pending() == 0 &&
           branch.exchanges.empty() && branch.open.empty() &&
           branch.core->applied() == branches_[0].core->applied();
  });
}

// The customers come when the account is there.
void LamportBank::Found() {
  if (!writes_.empty() && writes_.back().answered) return Customer();
  if (writes_.empty()) {
    Write(0, {.kind = ledger::Kind::kOpen, .account = ledger::kSharedAccount, .amount = 400});
  }
  After(10, [this] { Found(); });
}

// Whoever was refused asks again some time.
void LamportBank::Tick() {
  for (size_t i = 0; i < branches_.size(); ++i) Pump(i);
  After(20, [this] { Tick(); });
}

bool LamportBank::Run() {
  Found();
  Tick();
  while (now_ms_ < plan_.busy_ms + kRestLimitMs) {
    Event event = queue_.top();
    queue_.pop();
    now_ms_ = event.at_ms;
    event.run();
    if (now_ms_ > plan_.busy_ms + 1'000 && AtRest()) return true;
  }
  return false;
}

ledger::Outcome LamportBank::Ask(size_t i, const ledger::Command& command) {
  const size_t place = writes_.size();
  Write(i, command);
  while (place < writes_.size() && !writes_[place].answered && !queue_.empty()) {
    Event event = queue_.top();
    queue_.pop();
    now_ms_ = event.at_ms;
    event.run();
  }
  return writes_.at(place).outcome;
}

}  // namespace bank::sim
