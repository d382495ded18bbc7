// A role in words: as operators read it and as BranchStatus.role says it.
#pragma once

#include <string_view>

#include "branch/replication/replicator.h"

namespace bank::replication {

inline std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
    case Role::kLearner:
      return "learner";
  }
  return "unknown";
}

}  // namespace bank::replication
