// Every word of the page, in two languages.

/** @type {Record<string, [string, string]>} */
const WORDS = {
  language: ["中文", "English"],
  theme: ["Light or dark", "浅色或深色"],
  runs: ["Run", "运行"],
  compare: ["Lay over", "叠加"],
  live: ["training", "训练中"],
  ended: ["ended", "已结束"],
  step: ["step", "步"],
  of: ["of", "/"],
  lost: ["no connection: trying again", "连接中断，正在重试"],
  broken: ["lines of events.jsonl can't be read", "行 events.jsonl 无法读取"],
  none: ["Nothing yet.", "暂无数据。"],
  loss: ["Loss", "损失"],
  lossNoteFit: [
    "How far the line is from the points. Lower is better.",
    "直线与各点的距离。越低越好。",
  ],
  lossNote: [
    "How surprised the model is by the next token. Lower is better; nobody can pass the floor.",
    "模型对下一个词元的意外程度。越低越好；没有模型能低于熵下限。",
  ],
  train: ["train", "训练"],
  smooth: ["train, smooth", "训练（平滑）"],
  span: ["least and largest", "最小值与最大值"],
  validation: ["validation", "验证"],
  x: ["x", "横轴"],
  tokens: ["tokens", "词元"],
  time: ["time", "时间"],
  minutes: ["minutes", "分钟"],
  logX: ["log x", "x 取对数"],
  logY: ["log y", "y 取对数"],
  past: ["Past the first fall", "跳过初始下降"],
  all: ["All", "全部"],
  zoomNote: ["Drag to zoom in, double-click to zoom out.", "拖动放大，双击复原。"],
  seconds: ["seconds", "秒"],
  hours: ["hours", "小时"],
  rows: ["rows", "行"],
  rowsPerSecond: ["rows a second", "行/秒"],
  nats: ["nats per token", "奈特/词元"],
  mse: ["mean squared error", "均方误差"],
  uniform: ["knowing nothing", "一无所知"],
  unigram: ["token frequencies", "词元频率"],
  bigram: ["pairs", "二元模型"],
  trigram: ["triples", "三元模型"],
  floor: ["floor", "熵下限"],
  stage: ["Stage", "阶段"],
  stageNone: [
    "The model knows nothing yet: any token is as likely as any other.",
    "模型还一无所知：每个词元都同样可能。",
  ],
  stageUnigram: [
    "It has learned how frequent each token is, but not yet how they follow each other.",
    "它学会了每个词元的频率，但还没学会它们如何相继。",
  ],
  stageBigram: [
    "It predicts better than pairs of tokens can: it looks one token back, and more.",
    "它比二元模型预测得好：它会看前一个词元，甚至更多。",
  ],
  stageTrigram: [
    "It predicts better than triples of tokens can: " +
      "it uses more of the text than any count of three.",
    "它比三元模型预测得好：它所用的上下文超过了任何三元计数。",
  ],
  stageUniform: [
    "It is better than knowing nothing, but token frequencies alone still predict better.",
    "它好于一无所知，但仅凭词元频率仍能预测得更好。",
  ],
  stageFloor: [
    "It is within 10% of the entropy floor: little is left to learn.",
    "它距熵下限不到 10%：几乎没有可学的了。",
  ],
  film: ["The same prompt through time", "同一提示，不同时刻"],
  filmNote: ["What the model writes, from noise to sentences.", "模型写出的文字：从噪声到句子。"],
  play: ["Play", "播放"],
  prompt: ["prompt", "提示"],
  lens: ["Next-token lens", "下一词元透镜"],
  lensNote: [
    "A text the model never trained on. " +
      "The stronger its color, the more a token surprised the model. Click one.",
    "模型从未训练过的文本。颜色越深，模型越意外。点击一个词元。",
  ],
  surprise: ["surprise", "意外程度"],
  unit: ["nats", "奈特"],
  truth: ["what came", "实际出现"],
  passage: ["passage", "段落"],
  machine: ["Learning machine", "学习机理"],
  machineNote: [
    "The model's parts, one row each, through time.",
    "模型的各部分，每行一个，随时间变化。",
  ],
  grad_norm: ["gradient norm", "梯度范数"],
  update_ratio: ["update / weight", "更新/权重"],
  weight_rms: ["weight size", "权重大小"],
  activation_rms: ["activation size", "激活大小"],
  lr: ["learning rate", "学习率"],
  clip: ["clipped above", "超过则裁剪"],
  guide: ["about 10⁻³ is healthy", "约 10⁻³ 为宜"],
  show: ["show", "显示"],
  speed: ["Where the time goes", "时间去哪了"],
  perSecond: ["tokens a second", "词元/秒"],
  flops: ["computed a second", "每秒计算量"],
  left: ["time left", "剩余时间"],
  planned: ["memory planned", "计划内存"],
  peak: ["memory at most", "内存峰值"],
  share: ["of the processor's measured peak", "占实测处理器峰值"],
  perStep: ["a step", "每步"],
  profile: ["Milliseconds of one step, by kind of work", "每步耗时（毫秒），按工作种类"],
  mountain: ["The mountain and the crowd", "山与人群"],
  mountainNote: [
    "The cost for every pair of weights, and 200 walkers that start anywhere and walk down it " +
      "by the rule chosen. Each is a real run of the same engine.",
    "每一对权重的代价，以及 200 个从任意处出发、按所选规则下山的行者。每个都是同一引擎的真实运行。",
  ],
  "SGD, too low": ["SGD, rate too low: it crawls", "SGD，学习率过低：缓慢爬行"],
  "SGD, too high": [
    "SGD, rate too high: it bounces and blows up",
    "SGD，学习率过高：来回弹跳直至发散",
  ],
  momentum: ["momentum", "动量"],
  surface: ["The cost, on a log scale: drag to turn", "代价（对数尺度）：拖动旋转"],
  contours: ["From above, with every path", "俯视图与所有路径"],
  rule: ["rule", "规则"],
  rate: ["rate", "学习率"],
  cost: ["cost", "代价"],
  data: ["The data, and the lines of 20 walkers", "数据与 20 个行者的直线"],
  best: ["least squares", "最小二乘"],
  lowest: ["mean cost of the crowd", "人群的平均代价"],
  gone: ["gone beyond the picture", "已走出画面"],
  run: ["Run", "运行"],
  settings: ["Settings", "设置"],
  differing: ["only what differs from the default", "只显示与默认不同的"],
  key: ["key", "键"],
  value: ["value", "值"],
  byDefault: ["default", "默认"],
  graph: ["The model, operation by operation", "模型：逐个运算"],
  events: ["Events", "事件"],
  checkpoints: ["Checkpoints", "检查点"],
  sample: ["Let it write", "让它写"],
  temperature: ["temperature", "温度"],
  seed: ["seed", "种子"],
  control: ["Control", "控制"],
  token: ["token from the terminal", "终端中的令牌"],
  save: ["Save now", "立即保存"],
  stop: ["Stop", "停止"],
  started: ["started", "开始"],
  saved: ["checkpoint saved", "检查点已保存"],
  warning: ["warning", "警告"],
  parameters: ["parameters", "参数"],
  reason: ["end", "结束"],
  finished: ["finished", "完成"],
  interrupted: ["interrupted", "中断"],
  target: ["target reached", "达到目标"],
  skip: ["To the panels", "跳到面板"],
  keys: ["Keys", "快捷键"],
  close: ["Close", "关闭"],
  keyPanel: ["go to a panel", "跳到某个面板"],
  keyPlay: ["play or stop the film in sight", "播放或停止眼前的影片"],
  keyMove: ["in a film or the lens: one further", "在影片或透镜中：前后移动一格"],
  keyZoom: ["in the loss chart: zoom and move; 0 shows all", "在损失图中：缩放与移动；0 显示全部"],
  keyLanguage: ["English or Chinese", "中文或英文"],
  keyTheme: ["light or dark", "浅色或深色"],
  keyHelp: ["this list", "本列表"],
};

let chosen =
  localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");

export const language = () => chosen;

/** @param {string} to `en` or `zh` */
export function speak(to) {
  chosen = to;
  localStorage.setItem("language", to);
  document.documentElement.lang = to === "zh" ? "zh-CN" : "en";
}

/** @param {string} key @returns {string} */
export function word(key) {
  const both = WORDS[key];
  return both ? both[chosen === "zh" ? 1 : 0] : key;
}

/** A step by its number. @param {number | string} step */
export const numbered = (step) => (chosen === "zh" ? `第 ${step} 步` : `step ${step}`);

/** A number in a few digits. @param {number | null | undefined} x @returns {string} */
export function figure(x) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "–";
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return x.toExponential(2);
  if (size >= 1e3) return Math.round(x).toLocaleString("en");
  return x.toPrecision(4).replace(/\.?0+$/, "");
}

/** @param {number} x @param {string} unit @returns {string} */
export function large(x, unit) {
  const names = ["", "k", "M", "G", "T", "P"];
  let at = 0;
  if (unit === "" && x < 1000) return String(x);
  while (Math.abs(x) >= 1000 && at + 1 < names.length) {
    x /= 1000;
    at += 1;
  }
  return `${x.toPrecision(3)} ${names[at]}${unit}`;
}

/** @param {number} seconds @returns {string} */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  if (h > 0) return `${h} h ${m} min`;
  return m > 0 ? `${m} min ${s % 60} s` : `${s} s`;
}
