// All text on the page, in English and Chinese.

/** @type {Record<string, [string, string]>} */
const WORDS = {
  language: ["中文", "English"],
  theme: ["Light or dark", "浅色或深色"],
  runs: ["Run", "运行"],
  compare: ["Compare with…", "与其他运行对比…"],
  search: ["Search runs", "搜索运行"],
  live: ["training", "训练中"],
  ended: ["ended", "已结束"],
  stopped: ["stopped unexpectedly", "意外停止"],
  gone: ["the run's folder is gone", "运行的文件夹已不存在"],
  waiting: ["no events yet", "暂无事件"],
  resume: ["resume with", "恢复命令"],
  step: ["step", "步"],
  of: ["of", "/"],
  lost: ["connection lost, retrying", "连接已断开，正在重试"],
  closed: ["page closed, open it again with", "页面已关闭，重新打开"],
  broken: ["unreadable lines in events.jsonl", "行 events.jsonl 记录无法解析"],
  none: ["No data yet.", "暂无数据。"],
  loss: ["Loss", "损失"],
  lossNoteFit: [
    "How far the line is from the points. Lower is better.",
    "直线偏离数据点的程度，越低越好。",
  ],
  lossNote: [
    "How surprised the model is by the next token. Lower is better.",
    "模型对下一个词元的意外程度，越低越好。",
  ],
  lossNoteFloor: [
    "The entropy floor is the lowest any model can reach.",
    "任何模型都无法低于熵下限。",
  ],
  lossNoteShort: [
    "This run starts on short windows and ends on full-length ones; the loss rises briefly " +
      "where they change.",
    "训练先用短窗口，后用完整窗口；切换处损失会短暂上升。",
  ],
  race: ["Race", "方案对比"],
  raceNote: [
    "Validation loss of each recipe: the mean over its seeds, and a band from the best to the " +
      "worst of them. Time is training time, without the turns of other runs.",
    "每个方案的验证损失：实线为各随机种子的平均值，色带从最好到最差。" +
      "时间只计训练本身，不含等待其他运行的时间。",
  ],
  recipe: ["recipe", "方案"],
  crowd: ["Different random starts", "不同的随机起点"],
  crowdNote: [
    "Runs that differ only in their random start. Do they end at the same model? " +
      "The barrier is how far the cost rises on the straight line between two ends. " +
      "Swapping heads or neurons doesn't change what a model computes, so it is measured again " +
      "after matching them.",
    "只有随机起点不同、训练方式完全相同的多次运行。它们最终得到同一个模型吗？" +
      "壁垒指在两个终点之间的直线上代价升高了多少。" +
      "交换注意力头和神经元的位置不会改变模型的函数，因此也在对齐之后再测一次。",
  ],
  crowdOne: [
    "The {} runs end in one valley: on the straight lines between them, " +
      "the cost rises by {} nats at most.",
    "{} 次运行止于同一山谷：在它们之间的直线上，代价最多升高 {} 奈特。",
  ],
  crowdMatched: [
    "But for the order of heads and neurons, the {} runs end in one valley: " +
      "the pass between them is {} nats high before matching and {} after.",
    "若不计注意力头和神经元的排列次序，{} 次运行止于同一山谷：" +
      "它们之间的山口对齐前高 {} 奈特，对齐后高 {} 奈特。",
  ],
  crowdAlike: ["of like height ({} to {} nats)", "高度相近（{} 至 {} 奈特）"],
  crowdUnlike: ["of unequal height ({} to {} nats)", "高度不同（{} 至 {} 奈特）"],
  crowdPass: [
    "Different valleys {}, connected by a pass of {} nats " +
      "({} before and {} after matching heads and neurons).",
    "不同的山谷，{}，由高 {} 奈特的山口相连（对齐注意力头和神经元之前 {}，之后 {}）。",
  ],
  crowdRidge: [
    "Different valleys {}, with a ridge of {} nats between them " +
      "({} before and {} after matching heads and neurons).",
    "不同的山谷，{}，中间隔着高 {} 奈特的山脊（对齐注意力头和神经元之前 {}，之后 {}）。",
  ],
  crowdLines: ["Cost on the line between two ends", "两个终点之间直线上的代价"],
  crowdSome: ["The first {} of {} pairs.", "前 {} 对，共 {} 对。"],
  crowdBefore: ["as they are", "原样"],
  crowdAfter: ["heads and neurons matched", "对齐注意力头和神经元之后"],
  crowdPairTitle: ["barrier {} → {}", "壁垒 {} → {}"],
  crowdEnds: ["Ends", "终点"],
  crowdMean: ["mean of their predictions", "预测的平均"],
  crowdAgreement: ["How often two runs agree on the likeliest token", "最可能的词元相同的比例"],
  seeds: ["seeds", "随机种子数"],
  bits: ["bits per byte", "比特/字节"],
  deviation: ["deviation", "标准差"],
  trained: ["training time", "训练时间"],
  checkpointLoss: ["validation loss", "验证损失"],
  bestOne: ["best", "最佳"],
  train: ["train", "训练"],
  smooth: ["train (smoothed)", "训练（平滑）"],
  span: ["min–max", "最小–最大"],
  validation: ["validation", "验证"],
  x: ["x axis", "横轴"],
  tokens: ["tokens", "词元"],
  time: ["time", "时间"],
  minutes: ["minutes", "分钟"],
  logX: ["log x", "横轴对数"],
  logY: ["log y", "纵轴对数"],
  past: ["Skip the initial drop", "跳过初始下降"],
  all: ["Show all", "显示全部"],
  zoomNote: ["Drag to zoom in, double-click to zoom out.", "拖动放大，双击还原。"],
  seconds: ["seconds", "秒"],
  hours: ["hours", "小时"],
  rows: ["rows", "行"],
  rowsPerSecond: ["rows per second", "行/秒"],
  nats: ["nats per token", "奈特/词元"],
  mse: ["mean squared error", "均方误差"],
  uniform: ["random guess", "随机猜测"],
  unigram: ["unigrams", "一元模型"],
  bigram: ["bigrams", "二元模型"],
  trigram: ["trigrams", "三元模型"],
  floor: ["entropy floor", "熵下限"],
  stage: ["Stage", "阶段"],
  stageNone: ["No better than a random guess.", "不比随机猜测好。"],
  stageUniform: [
    "Better than a random guess, but worse than token frequencies alone (unigrams).",
    "优于随机猜测，但还不如只看词元频率的一元模型。",
  ],
  stageUnigram: [
    "Better than unigrams: the model knows how frequent each token is, " +
      "but uses little of the context.",
    "优于一元模型：学会了各词元的频率，但还很少利用上下文。",
  ],
  stageBigram: [
    "Better than bigrams: the model uses more than the previous token.",
    "优于二元模型：利用的上下文不止前一个词元。",
  ],
  stageTrigram: [
    "Better than trigrams: the model uses more than the previous two tokens.",
    "优于三元模型：利用的上下文不止前两个词元。",
  ],
  stageRote: [
    "Learning by rote since step {}: validation rises while training falls. " +
      "More text, a smaller model or fewer steps would help.",
    "自第 {} 步起在死记硬背：训练损失下降，验证损失却在上升。" +
      "更多文本、更小的模型或更少的步数会有帮助。",
  ],
  stageFloor: [
    "Within 10% of the entropy floor: little is left to learn.",
    "距熵下限不到 10%：可学的已经不多。",
  ],
  accuracy: ["Questions with known answers", "有标准答案的问题"],
  accuracyNote: [
    "Questions whose answers are known. Those trained on can be learned by heart; " +
      "those held out can only be answered by who has found the rule.",
    "答案已知的问题。训练过的题可以死记硬背；留出的题从未见过，只有找到规律才答得对。",
  ],
  trainedOn: ["trained on", "训练过"],
  heldOut: ["held out", "未见过"],
  answered: ["% answered correctly", "答对的百分比"],
  byRote: ["knows those trained on", "记住了训练过的题"],
  ruleFound: ["has found the rule", "找到了规律"],
  skillRote: [
    "Since step {} the model knows what it was trained on, but not the rule.",
    "自第 {} 步起，模型记住了训练过的题，但还没有找到规律。",
  ],
  skillFound: [
    "Since step {} the model answers questions that it never saw: it has found the rule.",
    "自第 {} 步起，模型能答对从未见过的题：它找到了规律。",
  ],
  film: ["Samples over time", "样本随训练的变化"],
  filmNote: [
    "What the model generates from the same prompt, from noise to sentences.",
    "模型对同一提示词的生成结果：从噪声到句子。",
  ],
  play: ["Play", "播放"],
  prompt: ["prompt", "提示词"],
  lens: ["Next-token lens", "下一词元透镜"],
  lensNote: [
    "A text the model was not trained on. The stronger the color, " +
      "the more the token surprised the model. Click a token to see the predictions.",
    "模型没有训练过的文本。颜色越深，该词元越出乎模型意料。点击词元查看预测。",
  ],
  probability: ["probability", "概率"],
  surprised: ["surprise", "意外程度"],
  unit: ["nats", "奈特"],
  truth: ["actual next token", "实际的下一词元"],
  passage: ["passage", "段落"],
  inside: ["Attention, layers and tokens", "注意力、各层与词元"],
  insideNote: [
    "How the model reads a text that it was not trained on. Point at a token to see where the " +
      "chosen head looks from there, and what each layer would say comes next.",
    "模型如何读一段没有训练过的文本。指向一个词元，查看所选注意力头从该处看向哪里，" +
      "以及每一层对下一词元的预测。",
  ],
  insideNone: [
    "This run has no such probes: it was trained by an earlier version. Look inside its " +
      "checkpoints in the playground, or run",
    "此训练没有这些探测数据：它由较早的版本训练。可在试验台上查看其检查点的内部，或运行",
  ],
  inspectNote: [
    "Where each attention head looks while the model reads a text of yours, what each layer " +
      "would say comes next, and which tokens are nearest to those of the text.",
    "模型读你的文本时各注意力头看向哪里、每一层对下一词元的预测，" + "以及与文中词元最接近的词元。",
  ],
  inspectHere: ["A sentence…", "写一句话……"],
  inspectGo: ["Look inside", "查看内部"],
  heads: ["Attention heads, by what they look at", "注意力头（按关注对象排列）"],
  headName: ["layer {} · head {}", "第 {} 层 · 第 {} 头"],
  kind_previous: ["previous token", "前一词元"],
  kind_same: ["same token", "相同词元"],
  kind_word: ["beginning of the word", "词首"],
  kind_copying: ["copying", "复制"],
  kind_first: ["first token", "首个词元"],
  kind_mixed: ["mixed", "混合"],
  score_previous: ["to the previous token", "看向前一词元"],
  score_same: ["to the same token", "看向相同词元"],
  score_word: ["to the beginning of the word", "看向词首"],
  score_induction: [
    "in a repeated random sequence: to what followed the token before",
    "在重复的随机序列中：看向该词元上次之后的词元",
  ],
  score_answer: ["to the places of the answer", "看向答案所在的位置"],
  score_first: ["to the first token", "看向首个词元"],
  attends: ["attention", "注意力"],
  layersTitle: ["What each layer would say comes next", "每一层预测的下一词元"],
  layersNote: [
    "The final norm and the output head read the model's state after each layer, as if it were " +
      "the last (logit lens). The cost is that of the actual next token.",
    "把每一层之后的状态当作最后一层，交给末尾的归一化与输出头读取（logit lens）。" +
      "代价是实际下一词元的代价。",
  ],
  layer: ["layer", "层"],
  likeliest: ["likeliest next", "最可能的下一词元"],
  costHere: ["cost here (nats)", "此处代价（奈特）"],
  costMean: ["mean of the text", "全文平均"],
  mapTitle: ["Tokens on a map", "词元地图"],
  mapNote: [
    "The token embeddings on their two main axes, which hold {} of their variance. Tokens that " +
      "the model treats alike are close. Each step is turned to fit the newest.",
    "词元嵌入在两个主轴上的投影，占方差的 {}。模型视为相近的词元彼此靠近。" +
      "每一步都旋转到与最新一步对齐。",
  ],
  nearest: ["nearest by cosine to", "按余弦最接近于"],
  answerLine: ["attention to the answer, best head", "看向答案的注意力（最佳头）"],
  answerHead: [
    "Layer {}, head {} looks for the answer: {} of its attention goes to the places that have it.",
    "第 {} 层第 {} 头在寻找答案：它的注意力有 {} 落在答案所在的位置。",
  ],
  copied: ["Learned or copied", "学会还是照抄"],
  copiedNote: [
    "Short pieces of any text stand in a large corpus: only the difference from held-out text, " +
      "which the model was not trained on, means anything.",
    "任何文本的短片段都会出现在大语料中：只有与未参与训练的留出文本之间的差别才有意义。",
  ],
  gap: ["validation − training loss", "验证损失 − 训练损失"],
  gapBest: ["Validation is best at {}.", "验证损失在{}最低。"],
  gapRote: [
    "Validation is best at {}: after it the model only learned by rote.",
    "验证损失在{}最低：此后模型只是在死记硬背。",
  ],
  bestStep: ["best step", "最佳步"],
  bestRote: ["best step; after it only rote", "最佳步；此后只是死记硬背"],
  planted: ["Planted strings", "植入的随机串"],
  plantedTimes: ["planted (times)", "植入次数"],
  byHeart: ["known by heart", "能背出的比例"],
  plantedRank: ["median rank among {} never planted", "在 {} 个未植入的串中的排名（中位数）"],
  copiedNone: [
    "To search samples for pieces of the training text, run",
    "要在样本中查找训练文本的片段，请运行",
  ],
  copiedSamples: ["Samples against the training text", "样本与训练文本的对照"],
  verdictNew: [
    "It writes new text: {} of its 8-grams stand in the corpus, {} of a human's do.",
    "它写的是新文本：它的 8 元组有 {} 出现在语料中，人写的文本为 {}。",
  ],
  verdictCopies: [
    "It copies in part: {} of its 8-grams stand in the corpus, {} of a human's do.",
    "它有部分照抄：它的 8 元组有 {} 出现在语料中，人写的文本为 {}。",
  ],
  verdictHeart: [
    "It has learned {} of the corpus by heart: after 50 tokens of a passage it continues with " +
      "the next 50, word for word; of held-out passages it does so for {}.",
    "它背下了语料的 {}：给出一段的前 50 个词元，它能一字不差地接出后 50 个；" +
      "对留出文本，这一比例为 {}。",
  ],
  ofModel: ["model", "模型"],
  heldOutText: ["held-out", "留出文本"],
  trainingText: ["training", "训练文本"],
  newGrams: ["new {}-grams", "新的 {} 元组"],
  match_median: ["longest match, median (tokens)", "最长匹配，中位数（词元）"],
  match_p90: ["longest match, 90% have at most", "最长匹配，90% 不超过"],
  match_largest: ["longest match, largest", "最长匹配，最大"],
  prefix_extraction: ["continued by heart, greedy", "逐字接续，贪心"],
  prefix_extraction_sampled: ["continued by heart, sampled", "逐字接续，采样"],
  near_copies: ["near copies, greedy", "近似照抄，贪心"],
  near_copies_sampled: ["near copies, sampled", "近似照抄，采样"],
  copiedSample: ["sample, longest match first", "样本（匹配最长者在前）"],
  copiedMarked: [
    "Underlined: what stands in the training text and is longer than {} tokens, which 90% of " +
      "held-out matches are not.",
    "下划线：出现在训练文本中且长于 {} 个词元的片段；留出文本的匹配有 90% 不超过此长度。",
  ],
  copiedPick: [
    "Click an underlined piece to see where it stands in the training text.",
    "点击带下划线的片段，查看它在训练文本中的位置。",
  ],
  matchTokens: ["{} tokens", "{} 个词元"],
  atToken: ["training text, token {}", "训练文本，第 {} 个词元"],
  atDocument: ["document {}, token {}", "第 {} 篇文档，第 {} 个词元"],
  machine: ["Inside the model", "模型内部"],
  machineNote: [
    "One row per part of the model, over the training steps.",
    "每行对应模型的一个部分，横轴为训练步。",
  ],
  grad_norm: ["gradient norm", "梯度范数"],
  update_ratio: ["update / weight", "更新量/权重"],
  weight_rms: ["weight size", "权重大小"],
  activation_rms: ["activation size", "激活值大小"],
  lr: ["learning rate", "学习率"],
  clip: ["clipping threshold", "裁剪阈值"],
  guide: ["about 0.001 is healthy", "约 0.001 为宜"],
  heatRatio: [
    "Color: how much one step changes the weights, relative to their size. Gray is 0.001, " +
      "which is healthy; blue is less, red is more. Here from {} to {}.",
    "颜色表示一步更新相对于权重大小的变化。灰色为 0.001，属于正常；蓝色更小，红色更大。" +
      "此处从 {} 到 {}。",
  ],
  heatSize: [
    "Color: from {} (dark violet) to {} (yellow). Each step of the scale is ten times the last.",
    "颜色从 {}（深紫）到 {}（黄），刻度每格相差十倍。",
  ],
  show: ["show", "显示"],
  speed: ["Where the time goes", "耗时分布"],
  perSecond: ["tokens per second", "词元/秒"],
  flops: ["compute rate", "计算速度"],
  left: ["time left", "剩余时间"],
  planned: ["planned memory", "预计内存"],
  peak: ["peak memory", "峰值内存"],
  share: ["of the processor's measured peak", "占处理器实测峰值"],
  perStep: ["time per step", "每步耗时"],
  profile: ["Time per step, by operation (ms)", "每步各类运算的耗时（毫秒）"],
  mountain: ["Cost surface and descents", "代价曲面与下降过程"],
  mountainNote: [
    "The cost for every pair of weights, and 200 runs that descend from different starting " +
      "points with the chosen optimizer. Each is a real run of the same engine.",
    "每一对权重的代价，以及从 200 个不同起点出发、按所选优化器下降的训练。" +
      "每条路径都由同一引擎实际训练得出。",
  ],
  terrain: ["Cost landscape", "代价地形"],
  terrainNote: [
    "The cost that this model would have with other weights: a slice through the space of all " +
      "weights, which has as many dimensions as the model has weights.",
    "若权重取其他值，该模型的代价会是多少：这是全部权重构成的空间的一个切面，" +
      "而该空间的维数等于模型的权重数。",
  ],
  terrainNone: [
    "To draw the cost around this model's weights, run",
    "要绘制该模型权重周围的代价，请运行",
  ],
  terrainPca: [
    "The plane through {} checkpoints that holds as much of their motion as possible: {}.",
    "穿过 {} 个检查点、包含其运动最多的平面：占运动的 {}。",
  ],
  terrainThree: [
    "The plane through all 3 checkpoints: any three points lie on one.",
    "穿过全部 3 个检查点的平面：任意三点都在同一平面上。",
  ],
  terrainRandom: [
    "A plane in two random directions through the last checkpoint; " +
      "each row of a direction is as long as that of the weights.",
    "穿过最后一个检查点、沿两个随机方向的平面；方向的每一行与权重的对应行等长。",
  ],
  terrainLine: [
    "The straight line between two models: 0 is this run's last checkpoint, 1 the other's.",
    "两个模型之间的直线：0 是本次训练的最后一个检查点，1 是另一个训练的。",
  ],
  terrainExact: [
    "Every cost on it is exact, for the same {} validation tokens.",
    "其上每个代价都是精确值，均在相同的 {} 个验证词元上计算。",
  ],
  terrainShadow: [
    "The white path is the run's own, projected on the plane. " +
      "The cost of its checkpoints differs from that on the plane by up to {} nats.",
    "白色路径是训练自身的路径在该平面上的投影。其检查点的代价与平面上的代价最多相差 {} 奈特。",
  ],
  terrainWalkers: [
    "Walkers can't leave the plane: they follow the exact slope of the cost on it.",
    "各优化器的路径不能离开平面：它们沿代价在平面上的精确坡度下降。",
  ],
  terrainMuon: [
    "Muon needs matrices, and a plane has none: its step is computed for all weights, then " +
      "projected. What is left of it may lead uphill.",
    "Muon 需要矩阵，而平面上没有矩阵：先对全部权重计算其更新，再投影到平面上。" +
      "投影后的更新可能指向上坡。",
  ],
  terrainHeight: [
    "cost in nats per token, log scale; drag to rotate",
    "每词元的代价（奈特，对数刻度），拖动旋转",
  ],
  terrainAbove: ["Top view: contours and paths", "俯视图：等高线与路径"],
  terrainCurve: ["cost along the line", "沿直线的代价"],
  terrainEnds: ["the two models", "两个模型"],
  terrainPath: ["the run", "本次训练"],
  terrainPoint: ["{}: {} nats per token, on the plane {}", "{}：每词元 {} 奈特，平面上为 {}"],
  allRules: ["all", "全部"],
  meanAt: ["mean cost, {}", "平均代价，{}"],
  "SGD, too low": ["SGD, learning rate too low: slow progress", "SGD，学习率过低：进展缓慢"],
  "SGD, too high": [
    "SGD, learning rate too high: oscillates and diverges",
    "SGD，学习率过高：来回震荡直至发散",
  ],
  momentum: ["momentum", "动量"],
  surface: ["log₁₀ of the cost; drag to rotate", "代价的 log₁₀，拖动旋转"],
  contours: ["Top view, with all paths", "俯视图与全部路径"],
  rule: ["optimizer", "优化器"],
  rate: ["learning rate", "学习率"],
  data: ["Data, and the lines of 20 of the runs", "数据，以及其中 20 次训练得到的直线"],
  best: ["least squares", "最小二乘解"],
  lowest: ["mean cost of all runs", "全部训练的平均代价"],
  outside: ["left the view", "已移出视野"],
  run: ["Run", "运行"],
  settings: ["Settings", "设置"],
  differing: ["only what was set and differs from the default", "只显示设置过且与默认值不同的项"],
  key: ["key", "配置项"],
  value: ["value", "值"],
  byDefault: ["default", "默认值"],
  graph: ["The model's operations", "模型的运算图"],
  events: ["Events", "事件"],
  checkpoints: ["Checkpoints", "检查点"],
  playground: ["Playground", "试验台"],
  playHere: ["Playground", "试验台"],
  livePage: ["Training", "训练过程"],
  toLessons: ["Lessons", "课程"],
  writeTitle: ["Write", "续写"],
  writeNote: [
    "The model continues your text. The stronger the color, the less likely the token was. " +
      "Click a token to see what else could have come.",
    "模型接着你的文本往下写。颜色越深，该词元越不可能出现。点击词元，查看此处的其他可能。",
  ],
  promptHere: ["Begin a text…", "写一个开头……"],
  write: ["Write", "续写"],
  stopWriting: ["Stop", "停止"],
  goOn: ["Continue", "继续"],
  lengthOf: ["tokens", "词元数"],
  newSeed: ["Write with another seed", "换一个随机种子重写"],
  spread: ["first · middle · last", "最早 · 中间 · 最后"],
  spreadNote: [
    "Write the same prompt with the same seed by three checkpoints side by side",
    "用三个检查点并排续写同一提示词，随机种子相同",
  ],
  text: ["text", "文本"],
  earlier: ["earlier version", "上一版"],
  later: ["later version", "下一版"],
  onQueued: ["waiting", "等待中"],
  onLoading: ["loading the model…", "正在加载模型……"],
  onReading: ["reading…", "正在读取……"],
  onWriting: ["writing…", "正在续写……"],
  onLength: ["length reached", "已达设定长度"],
  onEndOfText: ["the model ended the text", "模型结束了文本"],
  onTime: ["out of time", "已超时"],
  onHalted: ["stopped", "已停止"],
  nextPlace: ["what comes next", "接下来"],
  unknown: ["The model never saw", "模型从未见过"],
  skipUnknown: ["Leave them out", "忽略这些字符"],
  next: ["Next token", "下一词元"],
  nextNote: [
    "The probability of each token, by the model alone and with the settings. " +
      "Drag a setting to reshape it; click a token to take it and write on from there.",
    "每个词元的概率：模型本身给出的，以及应用设置之后的。" +
      "拖动设置即可改变分布；点击词元则选用它并由此续写。",
  ],
  nextNone: ["Write something, then click one of its tokens.", "先续写一段，再点击其中的词元。"],
  after: ["after", "前文"],
  drawable: [
    "{} of {} tokens can be drawn. As uncertain as a choice among {} equally likely tokens; " +
      "with the settings, among {}.",
    "{} / {} 个词元可被抽取。不确定程度相当于从 {} 个等概率词元中选择；应用设置后相当于 {} 个。",
  ],
  others: ["{} others", "其他 {} 个"],
  endToken: ["end of text", "文本结束"],
  pick: ["take this token and write on", "选用此词元并继续"],
  own: ["model", "模型"],
  withSettings: ["settings", "设置后"],
  topK: ["top-k", "top-k"],
  topP: ["top-p", "top-p"],
  minP: ["min-p", "min-p"],
  allTokens: ["all", "全部"],
  penalties: ["Penalties", "惩罚项"],
  repetition: ["repetition", "重复"],
  frequency: ["frequency", "频率"],
  presence: ["presence", "存在"],
  surprise: ["Surprise", "意外程度"],
  ownNote: [
    "How well the model predicts a text of yours. The stronger the color, " +
      "the more the token surprised it.",
    "模型对你的文本预测得如何。颜色越深，该词元越出乎模型意料。",
  ],
  ownText: ["your text", "你的文本"],
  ownHere: ["Paste a text…", "粘贴一段文本……"],
  measure: ["Measure", "测量"],
  checkpoint: ["checkpoint", "检查点"],
  bitsPerToken: ["bits per token", "比特/词元"],
  bitsUnit: ["bits", "比特"],
  context: ["context", "上下文"],
  temperature: ["temperature", "温度"],
  seed: ["seed", "随机种子"],
  control: ["Control", "控制"],
  token: ["token printed in the terminal", "终端中显示的令牌"],
  save: ["Save now", "立即保存"],
  stop: ["Stop", "停止"],
  started: ["started", "开始"],
  saved: ["checkpoint saved", "检查点已保存"],
  warning: ["warning", "警告"],
  parameters: ["parameters", "参数量"],
  reason: ["ended", "结束"],
  finished: ["finished", "已完成"],
  interrupted: ["interrupted", "已中断"],
  target: ["target reached", "已达目标"],
  atBest: ["at its best", "已达最佳"],
  helpsTime: ["more time would help most", "延长训练时间最有帮助"],
  helpsText: ["more text would help most", "增加训练文本最有帮助"],
  helpsSize: ["a larger model would help most", "增大模型最有帮助"],
  helpsNothing: ["nothing would help much", "损失已接近下限，难以再降低"],
  skip: ["Skip to content", "跳到主要内容"],
  keys: ["Keyboard shortcuts", "快捷键"],
  close: ["Close", "关闭"],
  keyPanel: ["go to: ", "跳到："],
  keyPlay: ["play or pause the visible animation", "播放或暂停当前动画"],
  keyMove: ["in an animation or the lens: move back or forward", "在动画或透镜中：后退或前进"],
  keyWrite: ["write", "续写"],
  keyStop: ["stop", "停止"],
  keyToken: ["in a text: the token before or after", "在文本中：上一个或下一个词元"],
  keyZoom: ["in the loss chart: zoom and pan; 0 shows all", "在损失图中：缩放和平移；0 显示全部"],
  keyLanguage: ["English or Chinese", "切换中英文"],
  keyTheme: ["light or dark", "切换浅色和深色"],
  keyHelp: ["this list", "显示本列表"],
};

/** Adds the texts of a page of its own. @param {Record<string, [string, string]>} more */
export function learn(more) {
  for (const [key, both] of Object.entries(more)) {
    if (WORDS[key]) throw new Error(`two texts are called ${key}`);
    WORDS[key] = both;
  }
}

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

/** A text with its `{}` replaced in order. @param {string} key @param {...(string | number)} all */
export const filled = (key, ...all) =>
  all.reduce((/** @type {string} */ text, one) => text.replace("{}", String(one)), word(key));

/** A step with its number. @param {number | string} step */
export const numbered = (step) => (chosen === "zh" ? `第 ${step} 步` : `step ${step}`);

/** A number with few digits. @param {number | null | undefined} x @returns {string} */
export function figure(x) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "–";
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return x.toExponential(2);
  if (size >= 1e3) return Math.round(x).toLocaleString("en");
  return x.toPrecision(4).replace(/\.?0+$/, "");
}

/** The same without exponents. @param {number | null | undefined} x @returns {string} */
export function plainly(x) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "–";
  const places = Math.max(0, Math.min(20, 1 - Math.floor(Math.log10(Math.abs(x) || 1))));
  return x.toLocaleString("en", { maximumFractionDigits: places });
}

/** A number with a unit prefix. @param {number} x @param {string} unit @returns {string} */
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
  const [hour, minute, second] = chosen === "zh" ? ["小时", "分", "秒"] : ["h", "min", "s"];
  if (h > 0) return `${h} ${hour} ${m} ${minute}`;
  return m > 0 ? `${m} ${minute} ${s % 60} ${second}` : `${s} ${second}`;
}
