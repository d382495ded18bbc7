#include "branch/replication/driver/proposals.h"

#include <algorithm>
#include <iterator>

#include "common/check.h"
#include "common/planted.h"

namespace bank::replication {

void Proposals::Add(std::string batch, uint64_t count, int64_t deadline_ms,
                    Replicator::ProposeCallback done) {
  const uint64_t bytes = batch.size();
  if (open_bytes_ + gathering_bytes_ + bytes > options_.proposals_bytes_max) {
    due_.Add(std::move(done), Fate::kNotApplied, "busy: too many proposals are waiting");
    return;
  }
  if (gathering_.empty() || gathering_.back().count + count > options_.entry_commands_max ||
      gathering_.back().batch.size() + bytes > options_.entry_bytes_max) {
    gathering_.push_back({std::move(batch), 0, {}});
  } else {
    gathering_.back().batch.append(batch);
  }
  Gathering& last = gathering_.back();
  last.count += count;
  last.waiters.push_back({count, bytes, deadline_ms, std::move(done)});
  gathering_bytes_ += bytes;
  deadline_ms_ = std::min(deadline_ms_, deadline_ms);
}

bool Proposals::WantsCut(int64_t now_ms) {
  if (gathering_.empty() || open_.size() >= options_.entries_open_max) return false;
  if (gathering_.size() > 1) return true;
  if (!open_.empty() && !committed_since_cut_) return false;
  if (lingered_ || options_.entry_linger_ms == 0) return true;
  if (gathering_.front().count * 2 >= last_count_) return true;
  if (linger_until_ms_ == kNever) linger_until_ms_ = now_ms + options_.entry_linger_ms;
  return false;
}

void Proposals::Submitted(LogIndex index, Term term) {
  Gathering cut = std::move(gathering_.front());
  gathering_.pop_front();
  gathering_bytes_ -= cut.batch.size();
  open_bytes_ += cut.batch.size();
  open_.push_back({index, term, cut.batch.size(), std::move(cut.waiters)});
  committed_since_cut_ = false;
  last_count_ = cut.count;
  linger_until_ms_ = kNever;
  lingered_ = false;
}

void Proposals::OnApplied(LogIndex index, Term term, std::vector<ledger::Outcome>& outcomes) {
  Settle(index, term, &outcomes);
}

void Proposals::Settle(LogIndex index, Term term, std::vector<ledger::Outcome>* outcomes) {
  if (!open_.empty() && open_.front().index == index) {
    OpenEntry entry = std::move(open_.front());
    open_.pop_front();
    committed_since_cut_ = true;
    Finish(entry, entry.term == term ? outcomes : nullptr);
  }
  while (!orphans_.empty() && orphans_.begin()->first <= index) {
    OpenEntry entry = std::move(orphans_.begin()->second);
    orphans_.erase(orphans_.begin());
    const bool ours = entry.term == term || IsPlanted(Planted::kAnswerOfAnother);
    Finish(entry, ours ? outcomes : nullptr);
  }
}

void Proposals::Finish(OpenEntry& entry, std::vector<ledger::Outcome>* outcomes) {
  open_bytes_ -= entry.bytes;
  size_t begin = 0;
  for (Waiter& waiter : entry.waiters) {
    const size_t end = begin + waiter.count;
    if (waiter.done == nullptr) {
      // Nobody waits any more.
    } else if (outcomes == nullptr) {
      due_.Add(std::move(waiter.done), Fate::kNotApplied,
               "leadership moved and another entry was committed in its place");
    } else {
      BANK_CHECK(end <= outcomes->size()) << end << " of " << outcomes->size();
      ProposeResult result;
      result.fate = Fate::kApplied;
      result.outcomes.assign(std::make_move_iterator(outcomes->begin() + begin),
                             std::make_move_iterator(outcomes->begin() + end));
      due_.Add(std::move(waiter.done), std::move(result));
    }
    begin = end;
  }
}

void Proposals::OnSkipped(LogIndex index) {
  BANK_CHECK(open_.empty());  // a leader installs no snapshot
  Unknown(index, "leadership moved and a snapshot replaced the log");
}

void Proposals::Stop(const std::string& reason) {
  NotApplied(reason);
  Unknown(LogIndex(~uint64_t{0}), reason);
}

void Proposals::Unknown(LogIndex index, const std::string& reason) {
  while (!orphans_.empty() && orphans_.begin()->first <= index) {
    OpenEntry entry = std::move(orphans_.begin()->second);
    orphans_.erase(orphans_.begin());
    open_bytes_ -= entry.bytes;
    for (Waiter& waiter : entry.waiters) {
      if (waiter.done == nullptr) continue;
      due_.Add(std::move(waiter.done), Fate::kUnknown, reason);
    }
  }
}

void Proposals::NotApplied(const std::string& reason) {
  for (Gathering& gathering : gathering_) {
    for (Waiter& waiter : gathering.waiters) {
      due_.Add(std::move(waiter.done), Fate::kNotApplied, reason);
    }
  }
  gathering_.clear();
  gathering_bytes_ = 0;
  for (OpenEntry& entry : open_) {
    const LogIndex index = entry.index;
    orphans_.emplace(index, std::move(entry));
  }
  open_.clear();
  committed_since_cut_ = false;
  linger_until_ms_ = kNever;
}

void Proposals::ExpireOpen(int64_t now_ms, OpenEntry& entry) {
  for (Waiter& waiter : entry.waiters) {
    if (waiter.done == nullptr) continue;
    if (waiter.deadline_ms <= now_ms) {
      const bool sure = IsPlanted(Planted::kLateSaidNotApplied);
      due_.Add(std::exchange(waiter.done, nullptr), sure ? Fate::kNotApplied : Fate::kUnknown,
               "not committed in time; it may still be");
    } else {
      deadline_ms_ = std::min(deadline_ms_, waiter.deadline_ms);
    }
  }
}

void Proposals::Expire(int64_t now_ms) {
  if (now_ms >= linger_until_ms_) {
    linger_until_ms_ = kNever;
    lingered_ = true;
  }
  if (now_ms < deadline_ms_) return;
  deadline_ms_ = kNever;
  for (OpenEntry& entry : open_) ExpireOpen(now_ms, entry);
  for (auto& [index, entry] : orphans_) ExpireOpen(now_ms, entry);
  for (Gathering& gathering : gathering_) ExpireGathering(now_ms, gathering);
  std::erase_if(gathering_, [](const Gathering& gathering) { return gathering.waiters.empty(); });
}

// What still gathers is in no log: it is taken out.
void Proposals::ExpireGathering(int64_t now_ms, Gathering& gathering) {
  Gathering kept;
  size_t begin = 0;
  for (Waiter& waiter : gathering.waiters) {
    if (waiter.deadline_ms <= now_ms) {
      gathering_bytes_ -= waiter.bytes;
      due_.Add(std::move(waiter.done), Fate::kNotApplied, "no room in the log in time");
    } else {
      deadline_ms_ = std::min(deadline_ms_, waiter.deadline_ms);
      kept.batch.append(gathering.batch, begin, waiter.bytes);
      kept.count += waiter.count;
      kept.waiters.push_back(std::move(waiter));
    }
    begin += waiter.bytes;
  }
  gathering = std::move(kept);
}

}  // namespace bank::replication
