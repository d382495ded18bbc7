// RegisterWitness: does this order of a register's steps explain them all? Pure.
//
// The last word before a history is called right, as verify_bank_order.h is for banks.
#pragma once

#include <cstddef>
#include <vector>

#include "checker/jepsen/step_search.h"

namespace bank::checker {

// `order`: the events of the steps. True if every step that must be is there, none twice, none
// after one that began when it was over, and every read and cas saw what the register held.
bool Explains(const std::vector<Step>& steps, Wide initial, const std::vector<size_t>& order);

}  // namespace bank::checker
