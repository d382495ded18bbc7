// JudgeSequential(): one entry after the other, and why a wrong answer may be as it is.
#include <limits>
#include <optional>

#include "checker/course/balances.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Interface;
using script::Operation;

// A write as it should have gone.
struct Write {
  size_t entry = 0;
  size_t operation = 0;
  int64_t change = 0;  // 0: it fails
};

class SequentialJudge {
 public:
  SequentialJudge(const script::Script& script, const Answers& answers, Grade* grade)
      : script_(script), answers_(answers), grade_(grade) {}

  void Run() {
    PlayWrites();
    int64_t balance = script_.balance;
    size_t next = 0;
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      const auto& operations = script_.entries[entry].operations;
      for (size_t i = 0; i < operations.size(); ++i) {
        const bool is_write = operations[i].interface != Interface::kQuery;
        const int64_t before = balance;
        if (is_write) balance += writes_[next++].change;
        if (answers_.only_final) continue;
        const Told& told = answers_.told[entry][i];
        if (!told.is_read) continue;
        if (is_write) {
          JudgeResult(entry, i, told, before, writes_[next - 1].change != 0);
        } else {
          JudgeBalance(entry, i, told, balance, next);
        }
      }
      if (answers_.only_final && answers_.final_told[entry].is_read) {
        JudgeBalance(entry, operations.size(), answers_.final_told[entry], balance, next);
      }
    }
  }

 private:
  void PlayWrites() {
    int64_t balance = script_.balance;
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      const auto& operations = script_.entries[entry].operations;
      for (size_t i = 0; i < operations.size(); ++i) {
        const Operation& op = operations[i];
        if (op.interface == Interface::kQuery) continue;
        int64_t change = 0;
        if (op.interface == Interface::kDeposit) {
          if (op.money <= std::numeric_limits<int64_t>::max() - balance) change = op.money;
        } else if (op.money <= balance) {
          change = -op.money;
        }
        writes_.push_back({entry, i, change});
        balance += change;
      }
    }
  }

  void JudgeResult(size_t entry, size_t operation, const Told& told, int64_t before, bool works) {
    const Operation& op = script_.entries[entry].operations[operation];
    if (told.success == works || op.money == 0) return;
    --grade_->values_right;
    grade_->Add(told.place,
                fmt::format("it says \"{}\", but \"{}\" is right: the balance is {} when {} comes",
                            told.success ? "success" : "fail", works ? "success" : "fail", before,
                            DescribeAsked(script_, entry, operation)));
  }

  std::string WriteName(const Write& write) const {
    return DescribeAsked(script_, write.entry, write.operation);
  }

  // `done` writes come before this answer.
  void JudgeBalance(size_t entry, size_t operation, const Told& told, int64_t balance,
                    size_t done) {
    if (told.balance == balance) return;
    --grade_->values_right;
    const uint64_t customer = script_.entries[entry].customer;
    const bool is_query = operation < script_.entries[entry].operations.size();
    std::string where;
    if (is_query && script_.entries[entry].operations[operation].branch_named) {
      where =
          fmt::format(" at branch {}", script_.entries[entry].operations[operation].branch.value);
    }
    if (const Write* lost = OwnLostWrite(entry, told.balance - balance, done)) {
      const Operation& op = script_.entries[entry].operations[lost->operation];
      const std::string at = op.branch_named ? fmt::format(" at branch {}", op.branch.value) : "";
      grade_->Add(
          told.place,
          fmt::format("customer {} read {}{} after its {} of {} was acknowledged{}; {} is right. "
                      "It did not read its own write",
                      customer, told.balance, where, script::InterfaceName(op.interface), op.money,
                      at, balance),
          {WriteName(*lost)});
      return;
    }
    std::string what = fmt::format("customer {} {} {}{}, but {} is right", customer,
                                   is_query ? "read" : "ended with", told.balance, where, balance);
    std::vector<std::string> events;
    if (const Write* other = OtherLostWrite(told.balance - balance, done)) {
      what += "; it is as if an earlier write had not happened";
      events.push_back(WriteName(*other));
    } else if (const Write* early = EarlyWrite(told.balance - balance, done)) {
      what += "; it is as if a later write had happened already";
      events.push_back(WriteName(*early));
    } else if (const Write* twice = TwiceWrite(told.balance - balance, done)) {
      what += "; it is as if a write had happened twice";
      events.push_back(WriteName(*twice));
    } else if (done != 0) {
      events.push_back("the write before it: " + WriteName(writes_[done - 1]));
    }
    grade_->Add(told.place, std::move(what), std::move(events));
  }

  // The latest write of the first `done` without which the balance is off by `difference`.
  const Write* OtherLostWrite(int64_t difference, size_t done) const {
    for (size_t i = done; i-- > 0;) {
      if (writes_[i].change != 0 && writes_[i].change == -difference) return &writes_[i];
    }
    return nullptr;
  }
  const Write* OwnLostWrite(size_t entry, int64_t difference, size_t done) const {
    for (size_t i = done; i-- > 0;) {
      if (writes_[i].entry != entry) continue;
      if (answers_.only_final || !answers_.told[entry][writes_[i].operation].success) continue;
      if (writes_[i].change != 0 && writes_[i].change == -difference) return &writes_[i];
    }
    return nullptr;
  }
  const Write* EarlyWrite(int64_t difference, size_t done) const {
    for (size_t i = done; i < writes_.size(); ++i) {
      if (writes_[i].change != 0 && writes_[i].change == difference) return &writes_[i];
    }
    return nullptr;
  }
  const Write* TwiceWrite(int64_t difference, size_t done) const {
    for (size_t i = done; i-- > 0;) {
      if (writes_[i].change != 0 && writes_[i].change == difference) return &writes_[i];
    }
    return nullptr;
  }

  const script::Script& script_;
  const Answers& answers_;
  Grade* const grade_;
  std::vector<Write> writes_;  // all of them, in their order
};

}  // namespace

void JudgeSequential(const script::Script& script, const Answers& answers, Grade* grade) {
  SequentialJudge(script, answers, grade).Run();
}

}  // namespace bank::checker::course
