#include "branch/replication/engine/configuration.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "branch/replication/engine/core.h"

namespace bank::replication {
namespace {

std::string Name(BranchId id) { return "branch-" + std::to_string(id.value); }

struct Reading {
  const std::vector<Member>& initial_members;
  std::vector<Member> members;
};

}  // namespace

const Member* FindMember(const std::vector<Member>& members, BranchId id) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const Member& member) { return member.id == id; });
  return found == members.end() ? nullptr : &*found;
}

Member MakeMember(BranchId id, std::string_view address, bool voter,
                  const std::vector<Member>& initial_members) {
  if (address != Name(id)) return {id, std::string(address), voter};
  const Member* initial_member = FindMember(initial_members, id);
  return {id, initial_member == nullptr ? "" : initial_member->address, voter};
}

absl::StatusOr<std::string> EncodeConfiguration(const std::vector<Member>& members,
                                                const std::vector<Member>& initial_members) {
  std::vector<Member> sorted = members;
  std::sort(sorted.begin(), sorted.end(),
            [](const Member& a, const Member& b) { return a.id < b.id; });
  for (Member& member : sorted) {
    const Member* initial_member = FindMember(initial_members, member.id);
    const bool told_elsewhere =
        initial_member != nullptr && initial_member->address == member.address;
    if (told_elsewhere || member.address.empty()) member.address = Name(member.id);
  }
  std::vector<core_server> servers;
  for (const Member& member : sorted) {
    servers.push_back(
        {member.id.value, member.address.c_str(), member.voter ? CORE_VOTER : CORE_STANDBY});
  }
  size_t size = 0;
  void* bytes = core_configuration_encode(servers.data(), servers.size(), &size);
  if (bytes == nullptr) {
    return absl::InvalidArgumentError("the members are none, or their ids repeat or are 0");
  }
  std::string out(static_cast<const char*>(bytes), size);
  std::free(bytes);
  return out;
}

std::vector<Member> DecodeConfiguration(std::string_view bytes,
                                        const std::vector<Member>& initial_members) {
  Reading reading{initial_members, {}};
  const auto each = [](void* self, const core_server* server) {
    auto* out = static_cast<Reading*>(self);
    out->members.push_back(MakeMember(BranchId(server->id), server->address,
                                      server->role == CORE_VOTER, out->initial_members));
  };
  if (!core_configuration_read(bytes.data(), bytes.size(), each, &reading)) return {};
  return std::move(reading.members);
}

}  // namespace bank::replication
