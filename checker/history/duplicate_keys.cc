#include "checker/history/duplicate_keys.h"

#include <algorithm>

#include "fmt/format.h"

namespace bank::checker {

MergedDuplicates MergeDuplicates(const std::vector<Operation>& attempts) {
  MergedDuplicates merged;
  const Operation* first = nullptr;   // told the effect
  const Operation* sealed = nullptr;  // told that there is none and never will be
  for (const Operation& op : attempts) {
    if (!op.is_write() || op.fate != Fate::kOk) continue;
    if (op.answer == Answer::kNotApplied) sealed = &op;
    if (op.is_positioned() && (first == nullptr || op.return_ns < first->return_ns)) first = &op;
  }
  const auto report = [&](std::string why, const Operation& a, const Operation& b) {
    Violation violation;
    violation.kind = ViolationKind::kKey;
    violation.why = std::move(why);
    violation.operations = {a, b};
    violation.last_index = b.index;
    merged.violations.push_back(std::move(violation));
  };
  const std::string key =
      attempts.empty() ? "" : fmt::format("key {}/{}", attempts[0].session, attempts[0].sequence);
  if (first != nullptr) {
    Operation effect = *first;
    const Operation* tells_index = first;
    const Operation* tells_balance = first;
    for (const Operation& op : attempts) {
      if (&op == first || !op.is_write()) continue;
      if (op.is_positioned()) {
        if (!op.same_content(*first)) {
          report(key + " was answered for two different contents", *first, op);
        } else if (op.has_index && effect.has_index && op.index != effect.index) {
          report(fmt::format("{} took effect twice, at positions {} and {}", key, effect.index,
                             op.index),
                 *tells_index, op);
        } else if (op.answer != first->answer) {
          report(key + " was answered in two ways", *first, op);
        } else if (op.has_balance && effect.has_balance && op.balance != effect.balance) {
          report(key + " was answered in two ways", *tells_balance, op);
        }
      }
      if (op.same_content(*first) && (op.is_positioned() || op.is_unknown())) {
        effect.invoke_ns = std::min(effect.invoke_ns, op.invoke_ns);
      }
      if (!op.is_positioned()) continue;
      if (!effect.has_index && op.has_index) {  // one of the answers told more
        tells_index = &op;
        effect.has_index = true;
        effect.index = op.index;
      }
      if (!effect.has_balance && op.has_balance) {
        tells_balance = &op;
        effect.has_balance = true;
        effect.balance = op.balance;
      }
    }
    if (sealed != nullptr) report(key + " was applied, and certainly not applied", *first, *sealed);
    merged.answered.push_back(effect);
    return merged;
  }
  if (sealed != nullptr) return merged;
  for (const Operation& op : attempts) {
    if (!op.is_unknown()) continue;
    auto same = std::find_if(merged.unknown.begin(), merged.unknown.end(),
                             [&](const Operation& other) { return other.same_content(op); });
    if (same == merged.unknown.end()) {
      merged.unknown.push_back(op);
    } else {
      same->invoke_ns = std::min(same->invoke_ns, op.invoke_ns);
    }
  }
  return merged;
}

}  // namespace bank::checker
