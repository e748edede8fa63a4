// Device nodes and sysfs attributes in a temporary directory, behind which a fake device stands.
//
//   class FakeThing : public FakeNodes {
//     FakeThing() : FakeNodes("thing") {
//       AddNode("thing0", S_IFBLK, "/class/block/thing0", /*takes_commands=*/true);
//       Register();
//     }
//     ~FakeThing() override { Unregister(); }
//   };
//
// It replaces the process's ioctl() and stat(), also for libraries; on all other files they do
// what they always do. A device must be closed before its fake goes. Thread-safe once registered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gleaner::testing {

class FakeNodes {
 public:
  struct FakeNode {
    std::string path;
    uint64_t file_system;
    uint64_t inode;
    uint32_t type;
    uint64_t number;
    bool takes_commands;
  };

  virtual ~FakeNodes();
  FakeNodes(const FakeNodes&) = delete;
  FakeNodes& operator=(const FakeNodes&) = delete;

  std::string directory() const { return directory_; }

  // For the replaced system calls.
  const std::vector<FakeNode>& nodes() const { return nodes_; }
  // Of a node that takes commands; as ioctl() does.
  virtual int Ioctl(const FakeNode& node, unsigned long request, void* argument) = 0;

 protected:
  explicit FakeNodes(const std::string& name);
  // The last of construction, and the first of destruction.
  void Register();
  void Unregister();

  std::string Node(const std::string& name) const { return directory_ + "/dev/" + name; }
  // A node, described by the directory `attributes` of sysfs unless that is empty.
  void AddNode(const std::string& name, uint32_t type, const std::string& attributes,
               bool takes_commands);
  void AddAttribute(const std::string& path, const std::string& value);

 private:
  std::string directory_;
  std::vector<FakeNode> nodes_;
};

}  // namespace gleaner::testing
