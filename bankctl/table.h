// Columns of text for people: as wide as their widest cell, numbers to the right. What stands in a
// cell may come from anywhere: it stays on its line.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace bank::bankctl {

class Table {
 public:
  explicit Table(std::vector<std::string> titles) : rows_{std::move(titles)} {}
  // As many cells as there are titles.
  void Add(std::vector<std::string> cells);
  void Print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bank::bankctl
