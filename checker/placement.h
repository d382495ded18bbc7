// Which unknown operations, placed where, make an answer right that is wrong without them.
//
// Operations with the same content are placed in the order of their invocations: swapping two of
// them never makes a history right. An operation goes to the latest unheld position that suits it,
// which leaves the others the most room. Where this is not the whole truth (transfers of unknown
// outcome, an exhausted budget) the certificate is marked inexact.
#pragma once

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "checker/certificate.h"

namespace bank::checker {

class Certificate::Repair {
 public:
  // Appends to `found` every extension of `world` in which `op` agrees.
  Repair(Certificate* certificate, const Operation& op, const World& world,
         std::vector<World>* found)
      : certificate_(*certificate), op_(op), world_(world), found_(found) {}

  void Run();

 private:
  // Unplaced operations of one content, by invocation.
  struct Class {
    std::vector<uint32_t> members;
    Wide change = 0;    // of op_'s account, by each member
    Wide reach_up = 0;  // largest sum of changes by this and all later classes
    Wide reach_down = 0;
  };

  void Gather();
  void Choose(size_t class_index, Wide change);
  void Try();
  bool Order(std::vector<uint32_t> rest, World* world);
  bool TakeSlots(World* world) const;
  // `tried`: gaps that have been looked at, by their first positions.
  bool TakeSlot(World* world, size_t job, absl::flat_hash_set<uint64_t>* tried) const;

  Certificate& certificate_;
  const Operation& op_;
  const World& world_;
  std::vector<World>* found_;
  std::vector<Class> classes_;
  std::vector<uint32_t> chosen_;
  uint64_t room_ = 0;         // unheld positions that can explain the answer; saturating
  bool wants_known_ = false;  // the sum of changes must be wants_
  Wide wants_ = 0;
};

}  // namespace bank::checker
