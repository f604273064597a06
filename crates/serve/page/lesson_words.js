// All texts of the lessons, in English and Chinese.

import { learn } from "./words.js";

learn({
  lesson: ["Lesson", "课程"],
  lessonBack: ["Previous", "上一课"],
  lessonOn: ["Next", "下一课"],
  lessonLink: ["Link to this lesson", "本课链接"],
  lessonGo: ["Run", "运行"],
  lessonTrain: ["Train", "训练"],
  lessonBusy: ["The program is busy with another lesson.", "程序正忙于另一课。"],
  lessonRange: ["Choose a number from {} to {}.", "请输入 {} 到 {} 之间的数。"],
  lessonWhole: ["Choose a whole number from {} to {}.", "请输入 {} 到 {} 之间的整数。"],
  lessonLong: ["The text is too long.", "文字太长了。"],
  lessonUnseen: [
    "The model has never seen {}. It only knows the characters of its stories.",
    "模型从没见过 {}，它只认识故事里出现过的字符。",
  ],
  lessonSlow: [
    "This took too long: the machine is busy. Try again later.",
    "用时过长：电脑正忙，请稍后再试。",
  ],
  lessonFailed: ["That didn't work:", "出错了："],
  lessonTraining: ["training: step {} of {}", "训练中：第 {} 步，共 {} 步"],
  lessonPreparing: ["preparing…", "准备中……"],
  lessonAsk: ["Find out", "动手找答案"],
  lessonCheck: ["Check", "检查"],
  lessonAnswer: ["your answer", "你的答案"],
  lessonNumber: ["Write a number, such as 0.5.", "请填写一个数，例如 0.5。"],
  lessonChoose: ["Choose one of the answers.", "请选择一个答案。"],
  keyLesson: ["go to the lesson", "跳到某一课"],

  lessonCost: ["cost", "代价"],
  lessonSlope: ["slope", "坡度"],
  lessonPull: ["pull", "拉力"],
  lessonPoints: ["Points and line", "数据点与直线"],
  lessonCurve: ["Cost for every w", "每个 w 的代价"],
  lessonBefore: ["before", "之前"],
  lessonAfter: ["after", "之后"],

  lesson1: ["The next token", "下一个词元"],
  lesson1Text: [
    "A language model does one thing. It reads a text and says, for every token, how likely " +
      "it is to come next. A token is a small piece of text. Here it is a single letter.",
    "语言模型只做一件事：读一段文字，然后说出每个词元接下来出现的概率。词元就是一小段文字。在" +
      "这里，一个字或一个标点就是一个词元。",
  ],
  lesson1More: [
    "This model is tiny, and it was born a moment ago: it has read children's stories on your " +
      "machine for a few seconds. Change the text, or click a token to add it.",
    "这个模型很小，而且刚刚诞生：它在你的电脑上读了几秒钟童话故事。改一改这段文字，或者点一个" +
      "词元，把它接在后面。",
  ],
  lesson1Knob: ["text", "文字"],
  lesson1First: ["One sunny day, the d", "从前，在"],
  lesson1Seen: [
    "It chooses among {} tokens. It was trained for {} steps.",
    "它要从 {} 个词元中选一个。它训练了 {} 步。",
  ],
  lesson1Ask: [
    "Write “Soon they all walked hom”. Which letter does the model expect next?",
    "把文字改成“大家高高兴”。模型认为下一个字最可能是什么？",
  ],
  lesson1Choice1: ["m", "地"],
  lesson1Choice2: ["e", "兴"],
  lesson1Choice3: ["a space", "，"],
  lesson1Right: [
    "Right. Nobody told the model how to spell. It found out which token tends to follow, by " +
      "guessing again and again.",
    "答对了。没有人教过模型怎样组词。它一次次地猜，自己发现了哪个词元常常跟在后面。",
  ],
  lesson1Wrong: [
    "Not quite. Put exactly this text into the field above, and look for the longest bar.",
    "还不对。把这段文字原样填进上面的框里，再看看哪一条最长。",
  ],

  lesson2: ["What a mistake costs", "错误的代价"],
  lesson2Text: [
    "To learn means to make mistakes cheaper, so each mistake needs a price. For a line, the " +
      "price is the square of the distance. A point twice as far away costs four times as much " +
      "and pulls twice as hard. Being too high is as bad as being too low.",
    "学习就是让错误的代价越来越小，所以先要给错误定个价。对直线来说，代价是距离的平方：点远一" +
      "倍，代价变成四倍，拉力变成两倍；偏高和偏低同样不好。",
  ],
  lesson2More: [
    "For the next token, the price is −ln p: the logarithm of the probability p that the " +
      "model gave to the right token. It is called cross-entropy. Below, a model chooses among " +
      "four tokens. Compare both prices for the same mistake.",
    "对下一个词元来说，代价是 −ln p，其中 p 是模型给正确词元的概率。这叫作交叉熵。下面的模型" +
      "要从四个词元中选一个。请比较同一个错误的两种代价。",
  ],
  lesson2Knob: ["p, the probability of the right token", "正确词元的概率 p"],
  lesson2Off: ["distance", "距离"],
  lesson2Line: ["A line", "直线"],
  lesson2Token: ["The next token", "下一个词元"],
  lesson2Squared: ["mean squared error", "均方误差"],
  lesson2Entropy: ["cross-entropy", "交叉熵"],
  lesson2Costs: ["Cost", "代价"],
  lesson2Pulls: ["Pull on the right token", "对正确词元的拉力"],
  lesson2Ask: [
    "Set p to 0.001: the model is almost sure of a wrong token. Which cost still pulls " +
      "strongly?",
    "把 p 调到 0.001：模型几乎认定了一个错误的词元。这时哪一种代价的拉力仍然很强？",
  ],
  lesson2Choice1: ["cross-entropy", "交叉熵"],
  lesson2Choice2: ["the mean squared error", "均方误差"],
  lesson2Right: [
    "Right. Its pull is 1 − p, here almost 1, while the squared error hardly pulls at all: a " +
      "model would learn least from its worst mistakes. And the probabilities of tokens " +
      "multiply to that of a text, so their logarithms simply add up.",
    "答对了。它的拉力是 1 − p，这里几乎等于 1；而均方误差几乎没有拉力，模型从最严重的错误里反" +
      "而学得最少。另外，整段文字的概率是各词元概率的乘积，取对数后只需相加。",
  ],
  lesson2Wrong: [
    "Not quite. Move p all the way to the left and compare the two numbers in the row “pull”.",
    "还不对。把 p 一直拖到最左边，再比较“拉力”那一行的两个数。",
  ],

  lesson3: ["The slope", "坡度"],
  lesson3Text: [
    "Four points and a line: y = w · x. Every weight w has a cost, the mean squared error. " +
      "The slope says how fast the cost rises when w grows a little. If it is positive, the way " +
      "down is to the left; if it is negative, to the right.",
    "四个点，一条直线：y = w · x。每个权重 w 都有一个代价，即均方误差。坡度表示 w 稍稍变大" +
      "时，代价上升得有多快。坡度为正，下坡在左边；坡度为负，下坡在右边。",
  ],
  lesson3More: [
    "You can measure it: move a little to the right, and divide the rise by the run. The " +
      "shorter the run, the closer you come to the slope, which the engine computes exactly.",
    "坡度可以量出来：向右走一小段，用上升的高度除以走过的距离。走得越短，结果就越接近坡度，而" +
      "程序能直接算出它的精确值。",
  ],
  lesson3Knob: ["weight w", "权重 w"],
  lesson3Run: ["run", "距离"],
  lesson3Rise: ["rise", "上升"],
  lesson3Ratio: ["rise ÷ run", "上升 ÷ 距离"],
  lesson3Exact: ["slope, computed", "算出的坡度"],
  lesson3Ask: [
    "At which w is the ground flat, with slope 0?",
    "w 等于多少时，地面是平的，坡度为 0？",
  ],
  lesson3Right: [
    "Right. There the cost is lowest: every direction leads uphill. All training looks for " +
      "such a place.",
    "答对了。那里代价最低，已经没有下坡路了。所有的训练都是在寻找这样的地方。",
  ],
  lesson3Wrong: [
    "Not yet. Look at the sign of the slope: if it is positive, make w smaller; if it is " +
      "negative, make w larger.",
    "还不对。看坡度的正负号：为正就把 w 调小，为负就把 w 调大。",
  ],

  lesson4: ["One step down", "下坡一步"],
  lesson4Text: [
    "Training repeats one small step: new w = w − rate × slope. Where it is steep, the step " +
      "is long; where it is flat, it is short. The learning rate decides how long all steps " +
      "are.",
    "训练就是不断重复这样一小步：新的 w = w − 学习率 × 坡度。坡陡，步子就大；坡缓，步子就小。" +
      "学习率决定步子整体的大小。",
  ],
  lesson4More: [
    "We start at w = 5 and take a single step. Change the rate and see where you land.",
    "我们从 w = 5 出发，只走一步。改变学习率，看看会走到哪里。",
  ],
  lesson4Knob: ["learning rate", "学习率"],
  lesson4Ask: [
    "With which learning rate does a single step land exactly on the lowest point?",
    "学习率等于多少时，一步就正好走到最低点？",
  ],
  lesson4Right: [
    "Right. When w changes by 1, the slope changes by 10, and 1 ÷ 10 = 0.1 leads straight to " +
      "the bottom. For a large model nobody knows this number, so people try several rates.",
    "答对了。w 每变化 1，坡度就变化 10，所以 1 ÷ 10 = 0.1 正好一步到底。对大模型来说，没有人" +
      "知道这个数，只能多试几个学习率。",
  ],
  lesson4Wrong: [
    "Not quite. As long as you land on the right side of the valley, the rate can be higher. " +
      "If you jump across to the left side, it is too high.",
    "还不对。只要还落在谷底的右边，学习率就可以再大一点；如果跳到了左边，就太大了。",
  ],

  lesson5: ["A crowd on the mountain", "山上的人群"],
  lesson5Text: [
    "Now the line has two weights, y = w · x + b, and the cost becomes a landscape. 200 " +
      "walkers start at random places. None of them sees the valley. Each feels only the slope " +
      "under its feet and steps downhill.",
    "现在直线有两个权重：y = w · x + b，代价成了一片山地。200 个人从随机的地点出发。谁也看不" +
      "见山谷，每个人只能感觉到脚下的坡度，然后往下坡走一步。",
  ],
  lesson5More: [
    "Let them take some steps. A walker has arrived when its cost is at most 1% above the " +
      "lowest.",
    "让他们走几步看看。代价最多比最低点高 1%，就算到达。",
  ],
  lesson5Knob: ["steps", "步数"],
  lesson5Arrived: ["have arrived", "已到达"],
  lesson5Mean: ["mean cost", "平均代价"],
  lesson5Lowest: ["lowest cost", "最低代价"],
  lesson5Ask: [
    "What is the smallest number of steps after which all 200 have arrived?",
    "最少走多少步，200 个人就全都到达了？",
  ],
  lesson5Right: [
    "Right. Wherever they start, all of them meet at the same place: the cost of a line has " +
      "only one valley. A language model has many valleys, yet most of them are about " +
      "equally deep.",
    "答对了。无论从哪里出发，大家都会走到同一个地方：直线的代价只有一个山谷。语言模型有许多山" +
      "谷，不过它们大多差不多一样深。",
  ],
  lesson5Wrong: [
    "Not quite. Change the steps until 200 have arrived, then go back step by step to the " +
      "first number for which that is true.",
    "还不对。先增加步数，直到 200 个人都到达，再一步一步往回减，找到最小的那个数。",
  ],

  lesson6: ["Rate too high, rate too low", "学习率太大，学习率太小"],
  lesson6Text: [
    "The same mountain, the same 200 walkers, 60 steps. If the learning rate is too low, they " +
      "crawl. If it is too high, every step jumps across the valley and lands higher up than " +
      "before.",
    "还是那座山，还是那 200 个人，走 60 步。学习率太小，大家就慢慢挪；学习率太大，每一步都会" +
      "越过山谷，落到比原来更高的地方。",
  ],
  lesson6More: [
    "Change the rate and watch the mean cost: it may fall slowly, fall fast, or explode.",
    "改变学习率，看看平均代价怎样变化：也许下降得慢，也许下降得快，也可能越来越大。",
  ],
  lesson6Knob: ["learning rate", "学习率"],
  lesson6First: ["mean cost at first", "开始时的平均代价"],
  lesson6Last: ["after 60 steps", "60 步之后"],
  lesson6Gone: ["too large to represent", "大得无法表示"],
  lesson6Ask: [
    "Where is the limit? Above which learning rate does the cost rise instead of falling?",
    "界限在哪里？学习率超过多少，代价就不降反升？",
  ],
  lesson6Right: [
    "Right. The limit is 2 ÷ the largest curvature of the mountain, here 2 ÷ 8 = 0.25. The " +
      "steepest direction alone decides, even if all others could go faster.",
    "答对了。界限等于 2 ÷ 最大的曲率，这里是 2 ÷ 8 = 0.25。它只取决于最陡的方向，哪怕其他方向" +
      "都还可以走得更快。",
  ],
  lesson6Wrong: [
    "Not quite. If the cost falls, try a higher rate; if it rises, a lower one. Halve the gap " +
      "between the two each time.",
    "还不对。代价下降，就试大一点的学习率；代价上升，就试小一点的。每次都取两者的中间值。",
  ],

  lesson7: ["Backpropagation", "反向传播"],
  lesson7Text: [
    "Two weights, one after the other: h = w1 · x, then y = w2 · h, and the cost is (y − " +
      "target)². The forward pass computes these numbers in order. The backward pass goes the " +
      "other way and asks of each number: how does the cost change when it grows?",
    "两个权重，一个接一个：先算 h = w1 · x，再算 y = w2 · h，代价是 (y − 目标)²。前向传播依次" +
      "算出这些数。反向传播倒着走，对每个数都问一句：它变大一点，代价会怎样变？",
  ],
  lesson7More: [
    "Each answer needs only the answer of its neighbor: that is the chain rule. The last " +
      "column checks it: it moves the weight by 0.001 to either side and computes the cost " +
      "anew.",
    "每个答案只需要相邻的那个答案，这就是链式法则。最后一列是验算：把权重向两边各移动 0.001，" +
      "重新计算代价。",
  ],
  lesson7Knob: ["weight w1", "权重 w1"],
  lesson7Value: ["forward", "前向"],
  lesson7Back: ["backward: slope", "反向：坡度"],
  lesson7Walked: ["check", "验算"],
  lesson7Ask: [
    "At which w1 do both weights stay where they are, because both slopes are 0?",
    "w1 等于多少时，两个权重的坡度都是 0，于是都不再变化？",
  ],
  lesson7Right: [
    "Right. Now y is exactly the target, and nothing has to change. A language model does the " +
      "same with millions of weights, in a single backward pass.",
    "答对了。这时 y 正好等于目标，什么都不用变。语言模型有几百万个权重，做法完全一样，而且一" +
      "次反向传播就能全部算完。",
  ],
  lesson7Wrong: [
    "Not quite. Look for the w1 that makes y equal to the target, 1. At w1 = 0 only the slope " +
      "of w2 is 0: w1 still wants to move.",
    "还不对。找一找让 y 等于目标 1 的 w1。w1 = 0 时只有 w2 的坡度是 0，w1 还想动。",
  ],

  lesson8: ["From noise to words", "从乱码到词句"],
  lesson8Text: [
    "The same step again, but with about 100,000 weights, and with cross-entropy as the cost. " +
      "The model reads children's stories. Before the first step it writes noise.",
    "还是同样的一步，只是权重有大约十万个，代价换成了交叉熵。模型读的是童话故事。在第一步之" +
      "前，它写出来的全是乱码。",
  ],
  lesson8More: [
    "Choose how many steps it may take, and train it here and now. Watch the loss fall and " +
      "the words appear.",
    "选好步数，现在就训练它。看看损失怎样下降，词语怎样出现。",
  ],
  lesson8Knob: ["steps", "步数"],
  lesson8Loss: ["loss (nats per token)", "损失（奈特/词元）"],
  lesson8Done: [
    "{} parameters, {} different tokens, {} tokens read.",
    "{} 个参数，{} 种词元，读了 {} 个词元。",
  ],
  lesson8Ask: [
    "How large is the loss before the first step, in nats per token?",
    "在第一步之前，损失是多少奈特/词元？",
  ],
  lesson8Right: [
    "Right. A model that knows nothing gives each of N tokens about the same probability, 1 ÷ " +
      "N. Its loss is then about ln N. Compute it for the number of different tokens above.",
    "答对了。什么都不懂的模型给 N 个词元的概率都差不多，各是 1 ÷ N，所以损失大约是 ln N。用上" +
      "面的词元种数算一算吧。",
  ],
  lesson8Wrong: [
    "Not quite. Train the model, with any number of steps, and look at the loss next to " +
      "step 0.",
    "还不对。随便选个步数训练一次，看看第 0 步旁边的损失。",
  ],

  lesson9: ["Learned or copied?", "学会了，还是背下来了？"],
  lesson9Text: [
    "A model with plenty of room and very little text can learn the text by heart. Then it " +
      "seems to write well, but it only repeats what it has read. So we compare: how much of " +
      "what it writes appears word for word in that text?",
    "模型的容量很大、文字却很少时，它可以把文字全背下来。这时它看起来写得不错，其实只是在重复" +
      "读过的内容。所以要比一比：它写的东西里，有多少能在原文中一字不差地找到？",
  ],
  lesson9More: [
    "Choose how many lines of text the model gets. It always trains for the same time. " +
      "Underlined: what is copied.",
    "选一选让模型读多少行文字。训练的步数总是一样。下划线标出的是照抄的部分。",
  ],
  lesson9Knob: ["lines of text", "文字的行数"],
  lesson9Read: ["loss on the text it has read", "读过的文字上的损失"],
  lesson9New: ["loss on text it has never seen", "没见过的文字上的损失"],
  lesson9Copied: ["of its 8-token pieces are copied", "照抄的片段所占比例（8 个词元为一段）"],
  lesson9Human: ["the same for stories it has never read", "同一比例，在它没读过的故事里"],
  lesson9Wrote: ["What it writes", "它写的文字"],
  lesson9Ask: ["Which model writes something of its own?", "哪个模型会写出自己的东西？"],
  lesson9Choice1: ["the one that read 3 lines", "读了 3 行的"],
  lesson9Choice2: ["the one that read 500 lines", "读了 500 行的"],
  lesson9Right: [
    "Right. With 3 lines it is cheapest to remember every letter. With 500 lines that is too " +
      "much to remember, and only what they have in common helps: words and how they go " +
      "together.",
    "答对了。只有 3 行时，记住每个字最省力；有 500 行时，记不下那么多，只有它们的共同点才有" +
      "用：词语，以及词语的搭配。",
  ],
  lesson9Wrong: [
    "Not quite. Train it once with 3 lines and once with 500, and compare the shares of what " +
      "is copied. Good text is not a sign of understanding.",
    "还不对。用 3 行和 500 行各训练一次，比较照抄的比例。写得通顺并不说明真的学会了。",
  ],
});
