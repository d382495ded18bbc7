#include "branch/replication/lamport/clock_events.h"

#include <algorithm>

namespace bank::replication::lamport {

std::optional<Movement> MovementOf(std::string_view batch) {
  std::optional<Movement> movement;
  ledger::CommandReader reader(batch);
  for (ledger::Command command; reader.Next(&command);) {
    const bool deposits = command.kind == ledger::Kind::kDeposit;
    if (!deposits && command.kind != ledger::Kind::kWithdraw &&
        command.kind != ledger::Kind::kTransfer) {
      continue;
    }
    if (!movement) movement = Movement{command.kind, command.session, command.sequence};
    if (!deposits) movement->can_fail_for_money = true;
  }
  return movement;
}

void ClockEvents::Add(uint64_t clock, ClockEvent::What what, BranchId partner,
                      const Movement& movement) {
  events_.push_back({.number = ++count_,
                     .clock = clock,
                     .what = what,
                     .partner = partner,
                     .kind = movement.kind,
                     .session = movement.session,
                     .sequence = movement.sequence});
  if (events_.size() > kKeptMax) events_.pop_front();
}

std::vector<ClockEvent> ClockEvents::After(uint64_t number, size_t limit) const {
  const uint64_t dropped = count_ - events_.size();
  const size_t begin = number > dropped ? std::min<size_t>(number - dropped, events_.size()) : 0;
  const size_t end = std::min(events_.size(), begin + limit);
  return {events_.begin() + static_cast<ptrdiff_t>(begin),
          events_.begin() + static_cast<ptrdiff_t>(end)};
}

}  // namespace bank::replication::lamport
