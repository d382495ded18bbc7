// The engine's bytes of a membership, as the log and the snapshots hold them.
//
// They hold names made from the ids where the engine has addresses of initial members: a bank may
// move to other addresses, and its log stays valid. Who joined later stands there with its address.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "branch/replication/member.h"

namespace bank::replication {

// Members come out sorted by id. Of those in `initial members`, with the same address, the name is
// written. InvalidArgument if ids or addresses repeat or an id is 0, or there is no member.
absl::StatusOr<std::string> EncodeConfiguration(const std::vector<Member>& members,
                                                const std::vector<Member>& initial_members);

// The reverse. A name becomes the initial member's address. Empty if the bytes are no
// configuration.
std::vector<Member> DecodeConfiguration(std::string_view bytes,
                                        const std::vector<Member>& initial_members);

// One member, as the engine has it.
Member MakeMember(BranchId id, std::string_view address, bool voter,
                  const std::vector<Member>& initial_members);

const Member* FindMember(const std::vector<Member>& members, BranchId id);

}  // namespace bank::replication
