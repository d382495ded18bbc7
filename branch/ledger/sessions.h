// Sessions: who may send keys, and what became of the keys.
//
// Sessions stand in the order of their last use, which the entries alone decide, so that every
// branch ends the same ones. Who ends is fair between owners: whoever holds most gives way, so that
// nobody can push out another's sessions with many of his own. The sessions of the branches
// themselves end last. The digest is the sum of one hash per session and one per remembered
// outcome. Sessions are shared with frozen copies until they are used again (shared.h).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "branch/ledger/session_holders.h"
#include "branch/ledger/shared.h"
#include "branch/ledger/window.h"
#include "common/ids.h"

namespace bank::ledger {

struct Session {
  SessionId id;
  SessionOwner owner;
  int64_t last_use_ms = 0;  // by the bank's time
  Window window{1};
};

class FrozenSessions {
 public:
  explicit FrozenSessions(std::vector<std::shared_ptr<const Session>> by_last_use)
      : by_last_use_(std::move(by_last_use)) {}

  uint64_t size() const { return by_last_use_.size(); }
  // The one idle for longest first; never null.
  const std::vector<std::shared_ptr<const Session>>& ByLastUse() const { return by_last_use_; }
  uint64_t RecomputeDigest() const;  // from the sessions alone

 private:
  std::vector<std::shared_ptr<const Session>> by_last_use_;
};

class Sessions {
 public:
  bool Has(SessionId id) const { return by_id_.contains(id); }

  // Before `id`, a new session of `owner`, is opened: ends sessions until fewer than
  // limits.sessions_max are left. As if the new one stood already, the owner that holds most gives
  // way with the one idle for longest; of several such owners, the one whose session is idle for
  // longest. False, and nothing ends: each owner has one session, `owner` none, and none of these
  // has been idle for limits.only_session_idle_ms_min.
  bool MakeRoom(SessionId id, SessionOwner owner, int64_t now_ms, const Limits& limits);
  // `id` must be new. The session is the one used last.
  void Open(SessionId id, SessionOwner owner, int64_t now_ms);
  // Makes it the one used last and forgets what lies below `answered_below`. Null if there is no
  // such session; else for Remember(), until the next call of Use() or Freeze() or its end.
  Session* Use(SessionId id, int64_t now_ms, uint64_t answered_below);
  // `session` is the one used last.
  void Remember(Session* session, uint64_t sequence, const Remembered& record);

  // Ends the sessions idle for longer than `idle_ms_max`.
  void ExpireIdle(int64_t now_ms, int64_t idle_ms_max);
  // Until at most `count` outcomes are remembered: the owner whose sessions remember most gives way
  // with the one idle for longest, but never with the session used last.
  void ShrinkRememberedTo(uint64_t count);

  uint64_t size() const { return by_id_.size(); }
  uint64_t remembered() const { return remembered_; }
  uint64_t digest() const { return digest_; }

  // Shows each session to see(session), the one idle for longest first, while that returns true.
  template <class See>
  void ByLastUse(See see) const {
    for (const Held& held : by_last_use_) {
      if (!see(*held.session)) return;
    }
  }

  // Costs a pointer per session.
  FrozenSessions Freeze() const;

 private:
  struct Held {
    Shared<Session> session;
    Holders::Stake stake{};
  };

  // The session that has to go before `id` is opened. Null: it must not be opened.
  const Holders::Stake* FindVictim(SessionId id, SessionOwner owner, int64_t now_ms,
                                   const Limits& limits);
  void End(SessionId id);
  // It remembers so many outcomes more, or fewer.
  void Count(Held* held, int64_t change);

  std::list<Held> by_last_use_;
  absl::flat_hash_map<SessionId, std::list<Held>::iterator> by_id_;
  Holders holders_;
  Epoch epoch_;
  uint64_t remembered_ = 0;  // outcomes, of all sessions
  uint64_t digest_ = 0;
};

}  // namespace bank::ledger
