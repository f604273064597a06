//! The tales in Chinese: their words and templates, made by the same rules as the English ones.
//!
//! The girls' names come first, then as many boys'. Words that a story repeats differ in their
//! first character.

use super::grammar::Language;

/// The Chinese tales.
pub(super) const CHINESE: Language = Language {
    names: "安安 贝贝 彩彩 丹丹 菲菲 果果 禾禾 佳佳 可可 莉莉 美美 婷婷 \
     大壮 东东 浩浩 杰杰 凯凯 乐乐 明明 鹏鹏 强强 涛涛 伟伟 小勇",
    lists: WORDS,
    pronouns: &[("他", ["她", "他"]), ("他的", ["她的", "他的"])],
    fragments: FRAGMENTS,
    story: STORY,
    colors: "色的",
};

const WORDS: &[(&str, &str)] = &[
    (
        "toys",
        "皮球 风筝 喇叭 木马 积木 陀螺 铃铛 口琴 灯笼 弹珠 小鼓 纸船",
    ),
    ("colors", "红 黄 蓝 绿 白 黑 紫 金"),
    (
        "fears",
        "老虎 狮子 灰狼 毒蛇 鳄鱼 蝙蝠 猫头鹰 蜘蛛 妖怪 雷声",
    ),
    (
        "animal",
        "兔子 松鼠 刺猬 小熊 山羊 绵羊 猴子 狐狸 小鹿 鸭子 公鸡 母鸡 青蛙 乌龟 骆驼 大象 斑马 河马 \
     白鹅 黄牛 水牛 小猪 花猫 黑狗 鹦鹉 孔雀 企鹅 袋鼠 海豹",
    ),
    (
        "trait",
        "勇敢 聪明 善良 害羞 活泼 淘气 懒惰 勤劳 温柔 骄傲 细心 粗心 快乐 安静 诚实 机灵 热情 调皮 \
     沉着 和气",
    ),
    (
        "thing",
        "书包 水桶 花瓶 篮子 盒子 枕头 闹钟 茶杯 碗柜 面具 口袋 信封 罐子 葫芦 算盘 木箱 沙袋 轮子 \
     树桩 鸟窝 蜂巢 坛子 雪人 稻草人 书架 木桶 竹筐",
    ),
    (
        "adj",
        "崭新 破旧 漂亮 结实 小巧 古怪 光滑 柔软 沉重 轻巧 温暖 冰凉 干净 明亮 圆圆 长长 弯弯 扁扁 \
     厚厚 薄薄 难得 神奇",
    ),
    (
        "place",
        "山坡 小河 树林 村子 果园 菜地 草地 池塘 磨坊 码头 院子 广场 石桥 海滩 山洞 田野 花园 车站 \
     学校 集市",
    ),
    (
        "food",
        "苹果 梨子 蛋糕 饼干 花生 糖果 包子 饺子 面条 米糕 蜂蜜 牛奶 豆浆 西瓜 桃子 葡萄 草莓 玉米 \
     红薯 栗子",
    ),
    (
        "act",
        "唱歌 跳舞 画画 读书 写字 爬山 游泳 钓鱼 种花 下棋 放羊 划船 滑雪 溜冰 赛跑 打鼓 做饭 扫地 \
     洗衣服 睡觉",
    ),
    ("moved", "跑 走 跳 爬 蹦 游 飞 滑"),
    (
        "adv",
        "高高兴兴 轻轻 慢慢 飞快 悄悄 急急忙忙 认认真真 得意洋洋 小心翼翼 笑眯眯",
    ),
    ("said", "说道 喊道 叫道 答道 嚷道 笑道 叹道 问道"),
    (
        "excl",
        "哎呀 天哪 太好了 哈哈 快看 糟糕 好极了 真妙 嘿嘿 哇",
    ),
    ("mood", "高兴 难过 得意 害怕 生气 满足 着急 激动 放心 惊讶"),
    (
        "weather",
        "晴朗 多云 凉爽 炎热 寒冷 潮湿 温暖 明媚 阴沉 干燥",
    ),
    ("day", "早晨 中午 下午 傍晚 夜晚 春日 夏日 秋日 冬日 周末"),
    ("where", "里面 后面 旁边 下面 上面 前面"),
    ("boxes", "抽屉 瓦罐 鞋盒 水缸 树洞 米袋 花盆 帽子"),
    ("number", "两 三 四 五 六 七 八 九 十"),
    // Syllables of songs.
    ("la", "啦 哩 噜 咚 哒 叮 嘀 嗒 咕 呱 嘟 喔 哼 呀 呼 啾"),
];

const STORY: &str = "<opening><intro>{<lost>|<shared>|<fear>|<trick>|<gift>|<race>}<ending>\n\n";

const FRAGMENTS: &[(&str, &str)] = &[
    (
        "words",
        "{<la><la>，<la><la>|<la><la><la><la>|<la>，<la><la>|<la><la><la>，<la>}",
    ),
    ("song", "<la><la>，<words>{！|？|，<words>！|，<words>？}"),
    (
        "opening",
        "{一个<weather>的<day>，|有一个<weather>的<day>，|在<place>旁边，|从前，在<place>旁边，|离<place>不远，}",
    ),
    (
        "intro",
        "<hero:names>{这只<trait>的<animal>|是一只<trait>的<animal>，|这只<animal>|，一只<trait>又<trait>的<animal>，}\
         {<adv>地<moved>着|坐在一个<thing>旁边|正忙着<act>|得到了一个<adj>的<thing>|<moved>过了<place>}。",
    ),
    (
        "stuff",
        "{一个<adj>的<thing>|一个<adj>、<adj>的<thing>|一个<thing>|<number>个<adj>的<thing>|<food>|<adj>的<food>}",
    ),
    (
        "cry",
        "{“<excl>！<excl>！”|“<excl>，<excl>！”|“<excl>，<song>”}",
    ),
    ("and", "{、<stuff>和<stuff>|和<stuff>}"),
    (
        "ending",
        "{然后|后来|不久|最后}，{他们|大家|两个伙伴}\
         {吃了<food>|吃了<adj>的<food>和<adj>的<food>|得到了<stuff>和<stuff>|<adv>地来到<place>|\
         <moved>回了家|坐下来<act>、<act>|觉得很<mood>|躲到一个<adj>的<thing><where>}，\
         {唱着|哼着|喊着}：“<song><song><song><song>”",
    ),
    // Who has the toy? The one who found it says so, and it is the toy that was lost.
    (
        "lost",
        "<hero.他>{弄丢了|找不到|想念着}<hero.他的><color:colors>色的<toy:toys>。\
         {<hero.他>看见了|一个<thing>旁边放着|<hero.他>遇到了}<stuff>、<stuff>和{一只<trait>的<animal>|<stuff>}。\
         <cry><pal:names>这只<animal><said>：“{我找到了|这就是|我有}<color>色的<toy>！\
         它就在{一个|我的|那个}<adj>的<thing><where>。”\
         {<hero.他>给了<pal.他><stuff><and>|<hero.他><adv>地抱住了<pal.他>|<pal>得到了<stuff><and>}。",
    ),
    // Who gets to use the toy, and in return for what?
    (
        "shared",
        "<pal:names>这只<animal>有一个<adj>的<toy:toys>。“{可以|能}让我{试试|拿拿|玩玩}吗？”<hero><said>。\
         “{不行|绝不}！{你又<trait>又<trait>|你去<act>吧|我要<act>|我很<mood>}。”<pal.他><adv>地<said>。\
         于是<hero.他>{给了|借给|送给}<pal.他><stuff><and>。<cry>{两个|他们|大家}都玩上了<toy>。",
    ),
    // What is the hero afraid of, and what is it really?
    (
        "fear",
        "<hero.他>{害怕|怕极了}<fear:fears>，躲到{一个|那个}<adj>的<thing><where>。\
         “<excl>！{我听见|我看见}了<fear>！”可是<pal:names>这只<trait>的<animal>\
         {<moved>了过来|<adv>地来了|看了看}。“<excl>！{那只是|我看见}<stuff><and>。”\
         <hero.他><adv>地<said>：“{我喜欢<fear>|现在我能和<fear>一起<act>了}，<pal>！”",
    ),
    // Where did the joker hide the toy?
    (
        "trick",
        "<pal:names>这只<trait>的<animal>把<hero.他的><toy:toys>{藏|放}在<adj>的<box:boxes>里。\
         <cry><hero.他><adv>地<said>。“{是在|一定在}那个<adj>的<thing><where>{？|，还是那个<adj>的<thing><where>？}”\
         “{错了|不对|再猜}！{去<act>吧|它在<stuff><where>}。”<pal><said>。\
         {<box>里果然有|打开<box>，里面是}<toy><and>！",
    ),
    // What is in the parcel?
    (
        "gift",
        "{为|给}<pal:names>这只<animal>，<hero.他>{带来了|准备了}一个<color:colors>色的<toy:toys>，\
         {装在|藏在|放在}一个<adj>的<thing>里。“是<stuff><and>吗？”<pal><said>。\
         “{不|猜吧}！{你可以用它<act>|它又<adj>又<adj>|不是<stuff>}。”\
         <cry>{原来是|拿出来的是}<color>色的<toy>！\
         {<pal.他>觉得很<mood>|<pal.他><adv>地抱住了<hero.他>|<hero.他>得到了<stuff><and>}。",
    ),
    // Who stops to help wins a friend.
    (
        "race",
        "{一场|盛大的}赛跑开始了！<pal:names>这只<trait>的<animal><moved>在{最前面|前头}，<hero><adv>地<moved>着。\
         {砰|哗啦|哎哟}！{掉下来|路上有}一个<adj>的<thing><and>。\
         <cry><hero.他>{停下来|转过身}，给了<pal.他><stuff>。\
         “{你又<trait>又<trait>|我觉得很<mood>}，”<pal.他><adv>地<said>。两个都赢得了<stuff><and>。",
    ),
];
