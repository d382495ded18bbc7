// Sessions: who may send keys, and what became of the keys.
//
// Sessions stand in the order of their last use, which the entries alone decide, so that every
// branch expires the same ones. The digest is the sum of one hash per session and one per
// remembered outcome. Sessions are shared with frozen copies until they are used again (shared.h).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "branch/ledger/shared.h"
#include "branch/ledger/window.h"
#include "common/ids.h"

namespace bank::ledger {

struct Session {
  SessionId id;
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

  // `id` must be new. The session is the one used last.
  void Open(SessionId id, int64_t now_ms);
  // Makes it the one used last and forgets what lies below `answered_below`. Null if there is no
  // such session; else for Remember(), until the next call of Use() or Freeze() or its expiry.
  Session* Use(SessionId id, int64_t now_ms, uint64_t answered_below);
  void Remember(Session* session, uint64_t sequence, const Remembered& record);

  // Ends the sessions idle for longer than `idle_ms_max`.
  void ExpireIdle(int64_t now_ms, int64_t idle_ms_max);
  // Ends the session idle for longest, until at most `count` are left.
  void ShrinkTo(uint64_t count);
  // Likewise, until at most `count` outcomes are remembered or only the session used last is left.
  void ShrinkRememberedTo(uint64_t count);

  uint64_t size() const { return by_id_.size(); }
  uint64_t remembered() const { return remembered_; }
  uint64_t digest() const { return digest_; }

  // The one idle for longest first.
  const std::list<Shared<Session>>& ByLastUse() const { return by_last_use_; }

  // Costs a pointer per session.
  FrozenSessions Freeze() const;

 private:
  void ExpireFirst();

  std::list<Shared<Session>> by_last_use_;
  absl::flat_hash_map<SessionId, std::list<Shared<Session>>::iterator> by_id_;
  Epoch epoch_;
  uint64_t remembered_ = 0;  // outcomes, of all sessions
  uint64_t digest_ = 0;
};

}  // namespace bank::ledger
