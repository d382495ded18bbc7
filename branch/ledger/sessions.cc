#include "branch/ledger/sessions.h"

#include <iterator>
#include <utility>

#include "branch/ledger/digest.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::ledger {
namespace {

uint64_t DigestSession(const Session& session) {
  return DigestWords(Domain::kSession, session.id.value, session.window.floor(),
                     session.last_use_ms);
}

uint64_t DigestRemembered(SessionId id, uint64_t sequence, const Remembered& record) {
  return DigestWords(Domain::kRemembered, id.value, sequence, record.fingerprint,
                     record.position.value, record.balance, record.code);
}

}  // namespace

void Sessions::Open(SessionId id, int64_t now_ms) {
  by_last_use_.emplace_back(epoch_, Session{id, now_ms, Window(1)});
  const auto session = std::prev(by_last_use_.end());
  BANK_CHECK(by_id_.emplace(id, session).second) << "session " << id.value << " opened twice";
  digest_ += DigestSession(**session);
}

Session* Sessions::Use(SessionId id, int64_t now_ms, uint64_t answered_below) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  if (&*found->second != &by_last_use_.back()) {
    by_last_use_.splice(by_last_use_.end(), by_last_use_, found->second);
  }
  Session* const session = &found->second->Write(epoch_);
  if (session->last_use_ms == now_ms && answered_below <= session->window.floor()) return session;
  digest_ -= DigestSession(*session);
  session->last_use_ms = now_ms;
  if (IsPlanted(Planted::kForgetsTooEarly) && answered_below > 0) ++answered_below;
  session->window.RaiseFloor(answered_below, [&](uint64_t sequence, const Remembered& record) {
    digest_ -= DigestRemembered(session->id, sequence, record);
    --remembered_;
  });
  digest_ += DigestSession(*session);
  return session;
}

void Sessions::Remember(Session* session, uint64_t sequence, const Remembered& record) {
  session->window.Insert(sequence, record);
  ++remembered_;
  digest_ += DigestRemembered(session->id, sequence, record);
}

void Sessions::ExpireIdle(int64_t now_ms, int64_t idle_ms_max) {
  while (!by_last_use_.empty() && now_ms - by_last_use_.front()->last_use_ms > idle_ms_max) {
    ExpireFirst();
  }
}

void Sessions::ShrinkTo(uint64_t count) {
  while (by_id_.size() > count) ExpireFirst();
}

void Sessions::ShrinkRememberedTo(uint64_t count) {
  while (remembered_ > count && by_id_.size() > 1) ExpireFirst();
}

void Sessions::ExpireFirst() {
  const Session& session = *by_last_use_.front();
  remembered_ -= session.window.records().size();
  for (const Remembered& record : session.window.records()) {
    digest_ -= DigestRemembered(session.id, session.window.SequenceOf(record), record);
  }
  digest_ -= DigestSession(session);
  by_id_.erase(session.id);
  by_last_use_.pop_front();
}

FrozenSessions Sessions::Freeze() const {
  epoch_.End();
  std::vector<std::shared_ptr<const Session>> frozen;
  frozen.reserve(by_last_use_.size());
  for (const Shared<Session>& session : by_last_use_) frozen.push_back(session.Freeze());
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
