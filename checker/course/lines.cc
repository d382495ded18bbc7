#include "checker/course/lines.h"

#include <optional>

#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Interface;
using script::Operation;

// What an answered write did. nullopt: nothing, and nothing is to be seen of it.
std::optional<Step> StepOf(const Operation& op, bool success) {
  if (op.money == 0) return std::nullopt;
  if (op.interface == Interface::kDeposit) {
    return Step{success ? Step::Kind::kAdd : Step::Kind::kFull, op.money};
  }
  if (success) return Step{Step::Kind::kAdd, -op.money};
  return Step{Step::Kind::kBelow, op.money};
}

}  // namespace

void Line::Push(Step step, size_t operation) {
  chain.push_back(step);
  operations.push_back(operation);
}

void Line::Drop(size_t step) {
  chain.erase(chain.begin() + static_cast<ptrdiff_t>(step));
  operations.erase(operations.begin() + static_cast<ptrdiff_t>(step));
}

Line Lines::Of(size_t entry, size_t end) const {
  Line line;
  const auto& operations = script_.entries[entry].operations;
  for (size_t i = 0; i < end; ++i) {
    const Told& told = answers_.told[entry][i];
    if (operations[i].interface == Interface::kQuery) {
      if (told.is_read) line.Push({Step::Kind::kSee, told.balance}, i);
    } else if (const auto step = StepOf(operations[i], told.success)) {
      line.Push(*step, i);
    }
  }
  return line;
}

Line Lines::OfFinal(size_t entry) const {
  Line line;
  const auto& operations = script_.entries[entry].operations;
  for (size_t i = 0; i < operations.size(); ++i) {
    if (operations[i].interface == Interface::kQuery) continue;
    if (const auto step = StepOf(operations[i], true)) line.Push(*step, i);
  }
  const Told& told = answers_.final_told[entry];
  if (told.is_read) line.Push({Step::Kind::kSee, told.balance}, kFinal);
  return line;
}

bool Lines::MayFail() const {
  Wide left = script_.balance;
  for (const script::Entry& entry : script_.entries) {
    for (const Operation& op : entry.operations) {
      if (op.interface == Interface::kWithdraw) left -= op.money;
    }
  }
  return left < 0;
}

bool Lines::KnowsWrites(Grade* grade) const {
  for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
    const auto& operations = script_.entries[entry].operations;
    for (size_t i = 0; i < operations.size(); ++i) {
      if (operations[i].interface == Interface::kQuery || operations[i].money == 0) continue;
      if (answers_.told[entry][i].is_read) continue;
      grade->notes.push_back("balances are not judged: the result of " +
                             DescribeAsked(script_, entry, i) + " is not known");
      return false;
    }
  }
  return true;
}

std::string Lines::Place(size_t entry, size_t operation) const {
  return operation == kFinal ? answers_.final_told[entry].place
                             : answers_.told[entry][operation].place;
}

std::string Lines::Shown(size_t entry, size_t operation) const {
  if (operation == kFinal) {
    const Told& told = answers_.final_told[entry];
    return fmt::format("{}: customer {} ends with {}", told.place, script_.entries[entry].customer,
                       told.balance);
  }
  const Told& told = answers_.told[entry][operation];
  const std::string asked = DescribeAsked(script_, entry, operation);
  if (script_.entries[entry].operations[operation].interface == Interface::kQuery) {
    return fmt::format("{}: {} told {}", told.place, asked, told.balance);
  }
  return fmt::format("{}: {} told {}", told.place, asked, told.success ? "success" : "fail");
}

std::vector<Chain> ChainsOf(const std::vector<Line>& lines) {
  std::vector<Chain> chains;
  for (const Line& line : lines) chains.push_back(line.chain);
  return chains;
}

}  // namespace bank::checker::course
