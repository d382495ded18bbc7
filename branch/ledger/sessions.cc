#include "branch/ledger/sessions.h"

#include <iterator>
#include <utility>

#include "branch/ledger/digest.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::ledger {
namespace {

uint64_t DigestSession(const Session& session) {
  // Without an owner as it was before there were owners: snapshots of that time hold such digests.
  if (session.owner == SessionOwner{}) {
    return DigestWords(Domain::kSession, session.id.value, session.window.floor(),
                       session.last_use_ms);
  }
  return DigestWords(Domain::kSession, session.id.value, session.window.floor(),
                     session.last_use_ms, session.owner.value);
}

uint64_t DigestRemembered(SessionId id, uint64_t sequence, const Remembered& record) {
  return DigestWords(Domain::kRemembered, id.value, sequence, record.fingerprint,
                     record.position.value, record.balance, record.code);
}

}  // namespace

bool Sessions::MakeRoom(SessionId id, SessionOwner owner, int64_t now_ms, const Limits& limits) {
  while (by_id_.size() >= limits.sessions_max) {
    const Holders::Stake* const victim = FindVictim(id, owner, now_ms, limits);
    if (victim == nullptr) return false;
    End(victim->id);
  }
  return true;
}

const Holders::Stake* Sessions::FindVictim(SessionId id, SessionOwner owner, int64_t now_ms,
                                           const Limits& limits) {
  if (IsPlanted(Planted::kEvictsIdleLongestOfAll)) return &by_last_use_.front().stake;
  const Holders::Holder* const most = holders_.MostSessions();
  if (most == nullptr) return holders_.FirstOfBranches();
  const Holders::Stake* const first = most->by_use.front();
  if (IsBranchSession(id)) return first;
  const Holders::Holder* const own = holders_.Find(owner);
  if (own == nullptr) {
    const bool spared =
        most->by_use.size() == 1 &&
        now_ms - by_id_.at(first->id)->session->last_use_ms < limits.only_session_idle_ms_min;
    return spared ? nullptr : first;
  }
  const Holders::Stake* const own_first = own->by_use.front();
  const uint64_t own_count = own->by_use.size() + 1;  // as if the new one stood already
  const bool own_gives_way = own_count > most->by_use.size() ||
                             (own_count == most->by_use.size() && own_first->used < first->used);
  return own_gives_way ? own_first : first;
}

void Sessions::Open(SessionId id, SessionOwner owner, int64_t now_ms) {
  by_last_use_.push_back({Shared<Session>(epoch_, Session{id, owner, now_ms, Window(1)})});
  const auto held = std::prev(by_last_use_.end());
  BANK_CHECK(by_id_.emplace(id, held).second) << "a session opened twice";
  held->stake.id = id;
  holders_.Add(owner, &held->stake);
  digest_ += DigestSession(*held->session);
}

Session* Sessions::Use(SessionId id, int64_t now_ms, uint64_t answered_below) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  Held& held = *found->second;
  if (&held != &by_last_use_.back()) {
    by_last_use_.splice(by_last_use_.end(), by_last_use_, found->second);
    holders_.Use(&held.stake);
  }
  Session* const session = &held.session.Write(epoch_);
  if (session->last_use_ms == now_ms && answered_below <= session->window.floor()) return session;
  digest_ -= DigestSession(*session);
  session->last_use_ms = now_ms;
  if (IsPlanted(Planted::kForgetsTooEarly) && answered_below > 0) ++answered_below;
  int64_t forgotten = 0;
  session->window.RaiseFloor(answered_below, [&](uint64_t sequence, const Remembered& record) {
    digest_ -= DigestRemembered(session->id, sequence, record);
    ++forgotten;
  });
  Count(&held, -forgotten);
  digest_ += DigestSession(*session);
  return session;
}

void Sessions::Remember(Session* session, uint64_t sequence, const Remembered& record) {
  session->window.Insert(sequence, record);
  Count(&by_last_use_.back(), 1);
  digest_ += DigestRemembered(session->id, sequence, record);
}

void Sessions::Count(Held* held, int64_t change) {
  if (change == 0) return;
  remembered_ += static_cast<uint64_t>(change);
  holders_.Count(&held->stake, change);
}

void Sessions::ExpireIdle(int64_t now_ms, int64_t idle_ms_max) {
  while (!by_last_use_.empty() &&
         now_ms - by_last_use_.front().session->last_use_ms > idle_ms_max) {
    End(by_last_use_.front().session->id);
  }
}

void Sessions::ShrinkRememberedTo(uint64_t count) {
  while (remembered_ > count && by_id_.size() > 1) {
    const Holders::Stake* const victim = IsPlanted(Planted::kEvictsIdleLongestOfAll)
                                             ? &by_last_use_.front().stake
                                             : holders_.MostRemembered(&by_last_use_.back().stake);
    if (victim == nullptr) return;
    End(victim->id);
  }
}

void Sessions::End(SessionId id) {
  const auto found = by_id_.find(id);
  Held& held = *found->second;
  const Session& session = *held.session;
  remembered_ -= session.window.records().size();
  for (const Remembered& record : session.window.records()) {
    digest_ -= DigestRemembered(session.id, session.window.SequenceOf(record), record);
  }
  digest_ -= DigestSession(session);
  holders_.Remove(&held.stake);
  by_last_use_.erase(found->second);
  by_id_.erase(found);
}

FrozenSessions Sessions::Freeze() const {
  epoch_.End();
  std::vector<std::shared_ptr<const Session>> frozen;
  frozen.reserve(by_last_use_.size());
  for (const Held& held : by_last_use_) frozen.push_back(held.session.Freeze());
  return FrozenSessions(std::move(frozen));
}

uint64_t FrozenSessions::RecomputeDigest() const {
  uint64_t digest = 0;
  for (const std::shared_ptr<const Session>& session : by_last_use_) {
    digest += DigestSession(*session);
    for (const Remembered& record : session->window.records()) {
      digest += DigestRemembered(session->id, session->window.SequenceOf(record), record);
    }
  }
  return digest;
}

}  // namespace bank::ledger
