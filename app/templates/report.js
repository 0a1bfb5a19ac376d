"use strict";
// The page is whole without this: it opens what a link points into, and adds two buttons.
function reveal(target) {
  for (let box = target && target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
}
function follow() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!target) return;
  reveal(target);
  target.scrollIntoView();
}
addEventListener("hashchange", follow);
follow();

for (const link of document.querySelectorAll("a[data-pick]")) {
  link.addEventListener("click", () => {
    const pick = document.getElementById(link.dataset.pick);
    if (pick) pick.checked = true;
  });
}

const stories = document.querySelectorAll(".task");
if (stories.length > 1) {
  const tools = document.createElement("p");
  tools.className = "tools";
  for (const [name, open] of [["Open all", true], ["Close all", false]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => stories.forEach((story) => { story.open = open; }));
    tools.append(button);
  }
  stories[0].before(tools);
}
